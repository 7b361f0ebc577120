"""What the policy would read of a prompt, with its length in characters and in the policy's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from karl.control.workshop.drafts import Draft
from karl.control.workshop.variables import Variable, drafted_prompt
from karl.tiny import POLICY_FOLDER

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Preview:
    """tokens: of the text alone, without the chat template; None: no tokenizer is at hand. counted_by: whose."""

    text: str
    characters: int
    tokens: int | None
    counted_by: str


def preview(draft: Draft, variables: Sequence[Variable], *, policy: Path | None) -> Preview:
    """policy: the folder of a checkpoint; None: the one that ships.

    Raises: UsageError for a prompt that can't be read or rendered.
    """
    prompt = drafted_prompt(draft)
    text = prompt.render(**{variable.name: variable.value for variable in variables})
    folder = policy or POLICY_FOLDER
    file = folder / TOKENIZER_FILE
    tokens = len(_tokenizer(file).encode(text, add_special_tokens=False).ids) if file.is_file() else None
    return Preview(text, len(text), tokens, "the shipped policy" if folder == POLICY_FOLDER else folder.name)


@lru_cache(maxsize=4)
def _tokenizer(file: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))
