"""The policy: an engine, its tokenizer, and the profile that says how this checkpoint wants to be spoken to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field, ValidationError

from agents.chat_template import ChatTemplate, chat_template
from agents.conversation import Conversation
from agents.dialogue import CallStyle, Dialogue
from agents.engines.base import Engine
from store.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROFILE_FILE = "karl.json"


class PolicyProfile(BaseModel, frozen=True, extra="forbid"):
    """`karl.json` of a checkpoint folder."""

    name: str = Field(default="policy", description="shown in tables")
    prompt_variant: str = Field(
        default="", description="prompts/<variant>/ the model was trained on; empty: the full prompts"
    )
    context_tokens: int = Field(default=32_768, ge=16, description="prompt and continuation together")
    policy_version: int = Field(default=0, ge=0, description="raised by one at every training iteration")


@dataclass(frozen=True)
class Policy:
    """One model, all roles. Frozen: a trained checkpoint is another policy.

    speaks_tokens: what it samples is known token by token, and can be trained on.
    """

    speaks_tokens: ClassVar[bool] = True

    engine: Engine
    tokenizer: PreTrainedTokenizerBase
    profile: PolicyProfile

    @cached_property
    def template(self) -> ChatTemplate:
        return chat_template(self.tokenizer)

    @property
    def style(self) -> CallStyle:
        return CallStyle(self.template.call_format, self.template.opened_reasoning, self.template.lists)

    def conversation(self) -> Dialogue:
        """An empty one, as this policy keeps it."""
        return Conversation(self.template)

    @property
    def stop_ids(self) -> tuple[int, ...]:
        return self.template.stop_ids

    def encode(self, text: str) -> list[int]:
        return self.template.encode(text)

    def decode(self, token_ids: list[int]) -> str:
        return self.template.decode(token_ids)


def load_policy(folder: Path, *, engine: Engine) -> Policy:
    """Tokenizer and profile of a checkpoint folder, with the engine that serves its weights."""
    return Policy(engine, load_tokenizer(folder), load_profile(folder))


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Raises: UsageError when the folder or its tokenizer is missing."""
    if not (folder / "tokenizer.json").is_file():
        raise UsageError(f"{folder}: no model folder (tokenizer.json is missing); give the folder of a checkpoint")
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    # Without a config transformers can't tell the class; tokenizer.json holds all that we use.
    loader = AutoTokenizer if (folder / "tokenizer_config.json").is_file() else PreTrainedTokenizerFast
    try:
        return loader.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as exc:
        raise UsageError(f"{folder}: the tokenizer can't be read: {exc}") from exc


def load_profile(folder: Path) -> PolicyProfile:
    """`karl.json`, or defaults under the folder's name. Raises: UsageError for an unreadable file or a wrong key."""
    path = folder / PROFILE_FILE
    if not path.is_file():
        return PolicyProfile(name=folder.name or "policy")
    try:
        return PolicyProfile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, json.JSONDecodeError) as exc:
        raise UsageError(f"{path}: can't be read: {exc}") from exc
    except ValidationError as exc:
        error = exc.errors()[0]
        known = ", ".join(PolicyProfile.model_fields)
        raise UsageError(
            f"{path}: key '{'.'.join(map(str, error['loc']))}': {error['msg']}; known keys: {known}"
        ) from exc
