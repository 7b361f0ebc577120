"""One reading of a task's data: where it lies, which part is wanted, what was left out and counted on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from evals.tasks.spec import TaskSpec
from store.chunking.tokens import ApproximateTokens, Tokens

ALL = "all"


class LeftOut(NamedTuple):
    """A question or document that was not taken, and why."""

    key: str
    reason: str


@dataclass(slots=True)
class Reading:
    """`split`: a split's name, or "all"; `canary`: of BrowseComp-Plus; `tokens`: what cuts documents by tokens."""

    spec: TaskSpec
    folder: Path
    split: str
    canary: str | None = None
    tokens: Tokens = field(default_factory=ApproximateTokens)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def wants(self, split: str) -> bool:
        return self.split in (split, ALL)

    @property
    def wanted_splits(self) -> list[str]:
        return [split.name for split in self.spec.splits if self.wants(split.name)]

    def leave_out(self, key: str, reason: str) -> None:
        self.left_out.append(LeftOut(key, reason))
