"""Token ids as texts, by the tokenizer of the checkpoint that sampled them: `tokenizers` alone, no model is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from karl.tiny import POLICY_FOLDER
from store import queries
from store.models import Rollout, Run
from store.session import Session, Store

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER, PROFILE = "tokenizer.json", "karl.json"
PARTIAL = "\ufffd"  # what bytes that are no whole character decode to
LONGEST = 8  # tokens that one character may be spread over


@dataclass(frozen=True, slots=True)
class TokenTexts:
    """folder: of the checkpoint whose tokenizer it is."""

    folder: Path
    tokenizer: Tokenizer

    def of(self, ids: Sequence[int]) -> list[str]:
        """A text a token. Bytes of one character that several tokens share are the last one's, "" the others'."""
        texts, start = [""] * len(ids), 0
        while start < len(ids):
            end = self._whole(ids, start)
            texts[end - 1] = self._decoded(ids[start:end])
            start = end
        return texts

    def knows(self, ids: Sequence[int]) -> bool:
        """Whether every id is one of the tokenizer's."""
        return max(ids, default=0) < self.tokenizer.get_vocab_size(with_added_tokens=True)

    def _whole(self, ids: Sequence[int], start: int) -> int:
        """The end of the tokens from `start` on that make whole characters; one token where none do."""
        for end in range(start + 1, min(start + LONGEST, len(ids)) + 1):
            if not self._decoded(ids[start:end]).endswith(PARTIAL):
                return end
        return start + 1

    def _decoded(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)


def token_texts(store: Store, rollout_id: int) -> TokenTexts | None:
    """None: no checkpoint of the rollout's policy is found that has a readable tokenizer.

    Raises: KarlError when the database refuses.
    """
    with store.session() as session:
        row = session.get(Rollout, rollout_id)
        if row is None:
            return None
        folders = list(_folders(session, row))
    for folder in dict.fromkeys(folders):
        # The policies of a run differ in their weights, not in their tokens.
        if _name(folder) == row.model and (tokenizer := _tokenizer(folder / TOKENIZER)):
            return TokenTexts(folder, tokenizer)
    return None


def _folders(session: Session, row: Rollout) -> Iterator[Path]:
    """Where the policy may lie, the likeliest first."""
    stored = queries.checkpoints(session, run_id=row.run_id)
    same = [checkpoint for checkpoint in stored if checkpoint.policy_version == row.policy_version]
    yield from (Path(checkpoint.path) for checkpoint in reversed([*stored, *same]))
    run = session.get(Run, row.run_id) if row.run_id is not None else None
    if run is not None and "base" in run.settings:
        yield Path(str(run.settings["base"]))
    yield POLICY_FOLDER


def _name(folder: Path) -> str:
    """What rollouts of a checkpoint call their model."""
    try:
        profile = json.loads((folder / PROFILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return folder.name
    return str(profile["name"]) if isinstance(profile, dict) and "name" in profile else folder.name


def _tokenizer(path: Path) -> Tokenizer | None:
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=2)
def _read(path: Path, _changed: int) -> Tokenizer:
    """Raises: ValueError for a file that is no tokenizer; OSError."""
    from tokenizers import Tokenizer

    text = path.read_text(encoding="utf-8")
    try:
        return Tokenizer.from_str(text)
    except Exception as exc:  # the library raises nothing narrower for a text that is no tokenizer
        raise ValueError(f"{path}: {exc}") from exc
