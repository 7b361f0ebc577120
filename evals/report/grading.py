"""One generation graded by rules, and what it took: everything of a rollout that the document needs, and no more.

Rollouts are read a page at a time; of each only this is kept. The judge's completion comes beside it, by rollout key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evals.corpora.keys import evidence_keys
from evals.cost import Spender, TokenUse, uses_of
from evals.items import EvalItem
from evals.latency import FirstAnswer, Known, first_answer, spent_of
from evals.scoring.citations import citation_score, retrieval_score
from evals.scoring.completion import Completion
from evals.scoring.entities import F1_BAR, RECALL_BAR, entity_score, listed
from evals.scoring.numeric import numeric_score
from evals.tasks.spec import Metric
from store.types import RolloutRecord, RolloutStatus

CITE = "cite"  # the call in which a system that answers by itself leaves the keys that it cites

Names = Mapping[int, frozenset[str]]
"""Chunk id -> the names under which it may stand in an item's gold list."""


class Asked(NamedTuple):
    """A question, its nuggets made where the data had none."""

    task: str
    metric: Metric
    item: EvalItem

    @property
    def place(self) -> tuple[str, str, str]:
        return self.task, self.item.split, self.item.key


@dataclass(frozen=True, slots=True)
class Answered:
    """`uses` None: nobody counted the tokens. `first`, `others`: empty for a rollout that the environment failed."""

    asked: Asked
    attempt: int
    rollout: str
    status: RolloutStatus
    answer: str
    confidence: float | None
    citations: tuple[str, ...]
    failure: str
    seconds: float
    searches: int
    model: str
    uses: tuple[TokenUse, ...] | None
    first: FirstAnswer | None
    others: dict[str, float]


class Verdict(NamedTuple):
    """Of the judge on one generation; `completion` None: the judge failed, `reason` says how. `use`: what it cost."""

    completion: Completion | None
    reason: str
    use: TokenUse | None = None


@dataclass(frozen=True, slots=True)
class Graded:
    """`score` None: failed or unjudged. An unfinished rollout is the policy's own fault, and scores 0."""

    made: Answered
    verdict: Verdict | None

    @property
    def score(self) -> float | None:
        return self._value("strict")

    @property
    def half_credit(self) -> float | None:
        return self._value("half_credit")

    @property
    def reason(self) -> str:
        return self.made.failure or (self.verdict.reason if self.verdict else "not judged")

    def _value(self, name: str) -> float | None:
        if self.made.status is not RolloutStatus.FINISHED:
            return 0.0 if self.made.status is RolloutStatus.UNFINISHED else None
        completion = self.verdict.completion if self.verdict else None
        return getattr(completion, name) if completion else None


def grade(record: RolloutRecord, asked: Asked, *, attempt: int, names: Names, external: bool) -> Answered:
    """`external`: the system answered by itself: its steps are no searches of ours, and its stream was not timed."""
    gold = asked.item.gold
    cited = cited_keys(record, names, gold=gold)
    # A system that has no way to say what it cites is not one that cites nothing.
    cites = not external or any(call.tool == CITE for step in record.steps for call in step.calls)
    failed = record.status is RolloutStatus.FAILED
    seen = _keys(hits_of(record), names, gold=gold)
    return Answered(
        asked=asked,
        attempt=attempt,
        rollout=record.key,
        status=record.status,
        answer=record.answer,
        confidence=record.confidence,
        citations=cited,
        failure=f"{record.failure.kind}: {record.failure.reason}" if record.failure else "",
        seconds=record.seconds,
        searches=_searches(record),
        model=record.provenance.model,
        uses=_uses(record, external=external),
        first=None if failed else _first(record, external=external),
        others={} if failed else _others(record.answer, asked, cited if cites else None, None if external else seen),
    )


def hits_of(record: RolloutRecord) -> Iterator[int]:
    """Chunk ids that it was shown, its attempts too."""
    yield from (hit for step in record.steps for hit in step.hits)
    for attempt in record.attempts:
        yield from hits_of(attempt)


def _searches(record: RolloutRecord) -> int:
    return record.searches + sum(map(_searches, record.attempts))


def cited_keys(record: RolloutRecord, names: Names, *, gold: Sequence[str]) -> tuple[str, ...]:
    """Evidence by its gold name, other chunks by their document's; what a system named itself, as it did."""
    own = [call.arguments.get("keys", []) for step in record.steps for call in step.calls if call.tool == CITE]
    if own:
        return tuple(dict.fromkeys(str(key) for keys in own for key in keys))
    return _keys(record.citations, names, gold=gold)


def _keys(chunks: Iterable[int], names: Names, *, gold: Sequence[str]) -> tuple[str, ...]:
    wanted, found = frozenset(gold), dict[str, None]()
    for chunk in dict.fromkeys(chunks):
        known = names.get(chunk, frozenset())
        # The longest name is the whole path, with the page where there is one.
        found.update(dict.fromkeys(sorted(known & wanted) or [max(known, key=len, default=f"chunk {chunk}")]))
    return tuple(found)


def names_of(key: str, page: int | None) -> frozenset[str]:
    return evidence_keys(key, page=page)


def _others(answer: str, asked: Asked, cited: Sequence[str] | None, seen: Sequence[str] | None) -> dict[str, float]:
    """Scores by rule where they are defined. None: nobody knows what the system cites, or was shown."""
    item, found = asked.item, dict[str, float]()
    if asked.metric is Metric.NUMERIC:
        numeric = numeric_score(answer, reference=item.reference, question=item.question)
        found |= {"numeric": numeric.value} if numeric else {}
    if asked.metric is Metric.ENTITIES and (
        scored := entity_score(listed(answer, gold=item.nuggets), gold=item.nuggets)
    ):
        found |= {f"entity_{name}": getattr(scored, name) for name in ("precision", "recall", "f1", "recall_top5")}
        found |= {f"entity_recall>={RECALL_BAR}": float(scored.recall >= RECALL_BAR)}
        found |= {f"entity_f1>={F1_BAR}": float(scored.f1 >= F1_BAR)}
    if cited is not None and (citations := citation_score(cited, gold=item.gold)):
        found |= {"citation_precision": citations.precision} if citations.precision is not None else {}
        found |= {"citation_recall": citations.recall}
    if seen is not None and (retrieval := retrieval_score(seen, gold=item.gold)):
        found |= {"retrieval_recall": retrieval.recall, "retrieval_full": float(retrieval.full)}
    return found


def _uses(record: RolloutRecord, *, external: bool) -> tuple[TokenUse, ...] | None:
    uses = tuple(uses_of(record))
    # A row has no word for "not counted"; a system that read and wrote nothing gave no answer either.
    return None if external and not any(use.input or use.output for use in uses) else uses


def _first(record: RolloutRecord, *, external: bool) -> FirstAnswer:
    if not external:
        return first_answer(record)
    spent = spent_of(record)
    return FirstAnswer(spent.total, spent, Known.END_TO_END)


def tokens_of(uses: Sequence[TokenUse] | None) -> tuple[int | None, int | None]:
    """(read, written) by the policy."""
    if uses is None:
        return None, None
    own = [use for use in uses if use.spender is Spender.POLICY]
    return sum(use.input for use in own), sum(use.output for use in own)
