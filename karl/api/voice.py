"""Who speaks in a graph: a policy of the caller's, a checkpoint, or the chat endpoint of the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agents.policy import Policy, PolicyProfile
from agents.tools import Searcher
from karl.api.opening import policy_folder
from karl.policies import open_policy, profile_of
from karl.settings import Settings
from karl.values import open_value
from store.session import Store

if TYPE_CHECKING:
    from agents.engines.local.value_model import ValueModel

Say = Callable[[str], None]


@dataclass(frozen=True)
class Voice:
    """Known before any model is loaded. `folder`: of the checkpoint; None: `given`, or a chat endpoint."""

    given: Policy | None
    folder: Path | None
    profile: PolicyProfile

    def open(self, *, variant: str, settings: Settings, say: Say | None) -> Policy:
        """Loads a model: seconds. Raises: UsageError, KarlError."""
        policy = self.given or open_policy(self.folder, settings=settings, say=say)
        return replace(policy, profile=self.profile.model_copy(update={"prompt_variant": variant}))

    def value(self, folder: Path, *, settings: Settings, say: Say | None) -> ValueModel:
        """A value model that reads this policy's tokens. Raises: UsageError."""
        return open_value(folder, policy=self.folder, profile=self.profile, settings=settings, say=say)


def voice_of(
    policy: Path | str | Policy | None, store: Store | None, corpus: str | Searcher | None, *, settings: Settings
) -> Voice:
    """Raises: UsageError for a checkpoint that is not there."""
    if isinstance(policy, Policy):
        return Voice(policy, None, policy.profile)
    folder = None if settings.engine == "chat" else policy_folder(policy, store, corpus)
    return Voice(None, folder, profile_of(folder, settings=settings))
