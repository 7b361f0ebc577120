"""One rollout as the traces room shows it, read from the store in one go: frozen values, no rows, no widgets.

Its tokens are read a segment at a time, when somebody asks for them (`tui.reading.tokens`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from store import queries
from store.models import Judgement, Rollout, Task
from store.queries import SegmentHead
from store.session import Session, Store
from store.types import Fate, Role, RolloutRecord
from tui.reading.passages import Passage


@dataclass(frozen=True, slots=True)
class TaskView:
    """What was asked, and what its author holds for right. citations: the gold chunks."""

    task_id: int
    answer: str
    nuggets: Sequence[str]
    citations: Sequence[int]
    fate: Fate


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said. labels: one a nugget."""

    kind: str
    judge: str
    labels: Sequence[str]
    score: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rollout belongs, and what is on its row beside its record. run: its name; "": of no run."""

    rollout_id: int
    run: str
    iteration: int
    arm: str
    attempt: int
    reward: float | None
    behaviour: str
    prompt_tokens: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TraceView:
    """`record` has no segments; passages: of all hits and citations that still exist."""

    place: Place
    record: RolloutRecord
    task: TaskView | None
    passages: Mapping[int, Passage]
    verdicts: Sequence[Verdict]
    attempts: Sequence[RolloutRecord]
    segments: Sequence[SegmentHead]


def read_trace(store: Store, rollout_id: int) -> TraceView | None:
    """None: there is no such rollout (any more). Raises: KarlError when the database refuses."""
    with store.session() as session:
        found = queries.rollout_steps(session, rollout_id)
        if found is None:
            return None
        record, task = queries.trace_record(found), _task(session, found.rollout.task_id)
        combines = record.role is Role.AGGREGATOR
        return TraceView(
            place=_place(session, found.rollout),
            record=record,
            task=task,
            passages=read_passages(session, record, task),
            verdicts=[_verdict(row) for row in queries.judgements_of(session, rollout_id)],
            attempts=queries.attempts_under(session, record.key) if combines else [],
            segments=queries.segment_heads(session, rollout_id),
        )


def read_attempt_id(store: Store, key: str) -> int | None:
    """Of an attempt that another rollout combined; None: it is gone."""
    with store.session() as session:
        return queries.rollout_id_by_key(session, key)


def read_passages(session: Session, record: RolloutRecord, task: TaskView | None) -> dict[int, Passage]:
    ids = [*record.citations, *(hit for step in record.steps for hit in step.hits), *(task.citations if task else ())]
    chunks = queries.chunks_by_id(session, ids)
    return {id_: Passage(chunk.key, chunk.title, chunk.page, chunk.text, id_) for id_, chunk in chunks.items()}


def _place(session: Session, row: Rollout) -> Place:
    run = queries.run_overview(session, row.run_id) if row.run_id is not None else None
    return Place(
        rollout_id=row.id or 0,
        run=run.name if run else "",
        iteration=row.iteration,
        arm=row.arm,
        attempt=row.attempt,
        reward=row.reward,
        behaviour=row.behaviour,
        prompt_tokens=row.prompt_tokens,
        created_at=row.created_at,
    )


def _task(session: Session, task_id: int | None) -> TaskView | None:
    row = session.get(Task, task_id) if task_id is not None else None
    return row and TaskView(row.id or 0, row.answer, row.nuggets, row.citations, row.fate)


def _verdict(row: Judgement) -> Verdict:
    return Verdict(row.kind, row.judge, row.labels, row.score, row.reason)
