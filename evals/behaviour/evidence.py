"""How a rollout came by its evidence: unique documents by turn, recall of the gold chunks, searches after that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evals.behaviour.trajectory import Trajectory
from evals.distribution import distribution
from evals.statistics import interval


class Retrieved(StrEnum):
    """How much of the gold evidence came back."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Recall:
    """`found`, `gold`: chunks. searches_before: up to the search that completed the evidence, that one included; all
    searches where none did. searches_after: those that followed although nothing was missing; None: never complete.
    """

    found: int
    gold: int
    searches_before: int
    searches_after: int | None

    @property
    def share(self) -> float:
        return self.found / self.gold

    @property
    def retrieved(self) -> Retrieved:
        return Retrieved.ALL if self.found == self.gold else Retrieved.SOME if self.found else Retrieved.NONE


def recall_of(trajectory: Trajectory, gold: Collection[int]) -> Recall:
    """`gold`: ids of all chunks that hold the evidence. Raises: ValueError for none: there is nothing to recall."""
    missing = set(gold)
    if not missing:
        raise ValueError("no gold chunks: recall is not defined")
    total, searches = len(missing), len(trajectory.searches)
    for number, search in enumerate(trajectory.searches, start=1):
        missing.difference_update(search.hits)
        if not missing:
            return Recall(total, total, number, searches - number)
    return Recall(total - len(missing), total, searches, None)


def unique_by_turn(trajectory: Trajectory, document_of: Mapping[int, int] | None = None) -> list[int]:
    """Distinct documents seen up to each turn, that one included; chunks count where no `document_of` is given.

    A chunk that `document_of` does not hold is a document of its own.
    """
    seen: set[tuple[str, int]] = set()
    counts: list[int] = []
    for hits in trajectory.hits_by_turn():
        seen.update(_document(chunk, document_of or {}) for chunk in hits)
        counts.append(len(seen))
    return counts


def _document(chunk: int, document_of: Mapping[int, int]) -> tuple[str, int]:
    return ("document", document_of[chunk]) if chunk in document_of else ("chunk", chunk)


def unique_curve(counts: Sequence[Sequence[int]]) -> list[float]:
    """Mean of the cumulative counts by turn; a rollout that is over stays at what it had seen."""
    longest = max(map(len, counts), default=0)
    return [sum(_at(own, turn) for own in counts) / len(counts) for turn in range(longest)]


def _at(counts: Sequence[int], turn: int) -> int:
    return counts[min(turn, len(counts) - 1)] if counts else 0


def recall_figures(recalls: Iterable[tuple[Recall, bool | None]]) -> dict[str, Any]:
    """Of (recall, solved) pairs: mean recall, searches before and after full recall, accuracy by what was retrieved.

    `solved` None: nobody judged; such a rollout counts everywhere but in the accuracies.
    """
    pairs = list(recalls)
    complete = [recall for recall, _ in pairs if recall.searches_after is not None]
    before, after = (distribution(getattr(r, f"searches_{part}") for r in complete) for part in ("before", "after"))
    return {
        "rollouts": len(pairs),
        "recall": round(sum(recall.share for recall, _ in pairs) / len(pairs), 4) if pairs else None,
        "searches_to_full_recall": before.as_dict() if before else None,
        "searches_after_full_recall": after.as_dict() if after else None,
        "accuracy": {str(part): _accuracy(pairs, part) for part in Retrieved},
    }


def _accuracy(pairs: Sequence[tuple[Recall, bool | None]], part: Retrieved) -> dict[str, Any]:
    """Interval over rollouts: those of one question are few here and seldom all in one part."""
    own = [solved for recall, solved in pairs if recall.retrieved is part]
    judged = [float(solved) for solved in own if solved is not None]
    return {"rollouts": len(own), "solved": interval(judged).as_dict() if judged else None}
