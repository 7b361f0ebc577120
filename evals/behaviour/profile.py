"""The behaviour of many rollouts of one system: shares of the classes, lengths, documents, compressions, recall."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.behaviour.classes import Behaviour, BehaviourClass, Rules, classify
from evals.behaviour.evidence import Recall, recall_figures, recall_of, unique_by_turn, unique_curve
from evals.behaviour.trajectory import Trajectory
from evals.distribution import distribution

_LENGTHS: dict[str, Callable[[Trajectory], int]] = {
    "turns": lambda one: one.turns,
    "searches": lambda one: len(one.searches),
    "distinct_queries": lambda one: len(set(one.queries)),
    "compressions": lambda one: one.compressions,
}


@dataclass
class Profile:
    """Gathers one trajectory at a time, so that a store can be read page by page. `document_of`: chunk id -> document.

    Of each rollout only counts are kept, and the first `examples` of every class by name.
    """

    rules: Rules = field(default_factory=Rules)
    document_of: Mapping[int, int] | None = None
    examples: int = 3
    failed: int = 0
    """Rollouts that the environment failed: counted by whoever feeds the profile."""
    _classes: dict[BehaviourClass, list[bool | None]] = field(
        default_factory=lambda: {kind: [] for kind in BehaviourClass}
    )
    _named: dict[BehaviourClass, list[dict[str, str]]] = field(
        default_factory=lambda: {kind: [] for kind in BehaviourClass}
    )
    _lengths: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in _LENGTHS})
    _unique: list[list[int]] = field(default_factory=list)
    _recalls: list[tuple[Recall, bool | None]] = field(default_factory=list)

    def add(self, trajectory: Trajectory, *, name: str = "", gold: Collection[int] = ()) -> Behaviour:
        behaviour = classify(trajectory, rules=self.rules)
        self._classes[behaviour.kind].append(trajectory.correct)
        if name and len(self._named[behaviour.kind]) < self.examples:
            self._named[behaviour.kind].append({"rollout": name, "reason": behaviour.reason})
        for key, length in _LENGTHS.items():
            self._lengths[key].append(length(trajectory))
        self._unique.append(unique_by_turn(trajectory, self.document_of))
        if gold:
            self._recalls.append((recall_of(trajectory, gold), trajectory.correct))
        return behaviour

    @property
    def rollouts(self) -> int:
        return len(self._unique)

    def as_dict(self) -> dict[str, Any]:
        """`recall` is None where no question has gold chunks."""
        lengths = {key: distribution(values) for key, values in self._lengths.items()}
        unique = distribution(counts[-1] if counts else 0 for counts in self._unique)
        return {
            "rollouts": self.rollouts,
            "failed": self.failed,
            "classes": {str(kind): self._share(kind) for kind in BehaviourClass},
            **{key: found.as_dict() if found else None for key, found in lengths.items()},
            "unique_documents": unique.as_dict() if unique else None,
            "unique_documents_by_turn": [round(mean, 3) for mean in unique_curve(self._unique)],
            "recall": recall_figures(self._recalls) if self._recalls else None,
        }

    def _share(self, kind: BehaviourClass) -> dict[str, Any]:
        """`solved`: of those rollouts of the class that were judged."""
        verdicts = self._classes[kind]
        judged = [verdict for verdict in verdicts if verdict is not None]
        return {
            "rollouts": len(verdicts),
            "share": round(len(verdicts) / self.rollouts, 4) if self.rollouts else 0.0,
            "solved": round(sum(judged) / len(judged), 4) if judged else None,
            "examples": self._named[kind],
        }
