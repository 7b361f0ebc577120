"""Rollouts out: a row with its steps and segments, and the record as it was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from store import binary
from store.errors import KarlError
from store.models import Rollout, Segment, Step
from store.queries.common import table_of
from store.types import (
    AlternativeRecord,
    Failure,
    Provenance,
    RolloutRecord,
    SegmentRecord,
    StepRecord,
    ToolCallRecord,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SegmentArrays(NamedTuple):
    """token_ids int32 T, loss_mask uint8 T, logprobs float32 T (nats); read-only."""

    token_ids: NDArray[np.int32]
    loss_mask: NDArray[np.uint8]
    logprobs: NDArray[np.float32]
    compression: bool
    engine_crc: int | None = None


class RolloutTrace(NamedTuple):
    """A rollout's row with its steps and segments in order."""

    rollout: Rollout
    steps: list[Step]
    segments: list[SegmentArrays]


def load_rollout(session: Session, rollout_id: int) -> RolloutTrace:
    """Raises: KarlError for an unknown id."""
    rollout = session.get(Rollout, rollout_id)
    if rollout is None:
        raise KarlError(f"no rollout {rollout_id} in this store")
    steps = session.execute(select(Step).where(table_of(Step).c.rollout_id == rollout_id).order_by(_ordinal(Step)))
    segments = session.execute(
        select(Segment).where(table_of(Segment).c.rollout_id == rollout_id).order_by(_ordinal(Segment))
    )
    return RolloutTrace(rollout, list(steps.scalars()), [segment_arrays(row) for row in segments.scalars()])


def _ordinal(model: type[Step] | type[Segment]) -> Any:
    return table_of(model).c.ordinal


def segment_arrays(row: Segment | Any) -> SegmentArrays:
    """Unpack a segment's row (or a Core row with the same columns)."""
    return SegmentArrays(
        token_ids=binary.unpack_ids(row.token_ids),
        loss_mask=binary.unpack_mask(row.loss_mask),
        logprobs=binary.unpack_floats(row.logprobs),
        compression=row.compression,
        engine_crc=row.engine_crc,
    )


def trace_record(trace: RolloutTrace) -> RolloutRecord:
    """The record that was saved. Log-probs come back rounded to float32; candidates live in their tasks."""
    row = trace.rollout
    failure = Failure(row.failure_kind, row.failure_reason, row.failure_traceback) if row.failure_kind else None
    return RolloutRecord(
        key=row.key,
        role=row.role,
        purpose=row.purpose,
        status=row.status,
        provenance=Provenance(row.graph, row.graph_sha256, row.prompt_sha256, row.model, row.policy_version),
        question=row.question,
        answer=row.answer,
        explanation=row.explanation,
        confidence=row.confidence,
        citations=row.citations,
        steps=[_step_record(step) for step in trace.steps],
        segments=[_segment_record(segment) for segment in trace.segments],
        failure=failure,
        temperature=row.temperature,
        seed=row.seed,
        seconds=row.seconds,
        queued=row.queued,
        began=row.began,
        trainable=row.trainable,
    )


def _step_record(step: Step) -> StepRecord:
    return StepRecord(
        kind=step.kind,
        text=step.text,
        query=step.query,
        hits=step.hits,
        prompt_tokens=step.prompt_tokens,
        sampled_tokens=step.sampled_tokens,
        policy_seconds=step.policy_seconds,
        tool_seconds=step.tool_seconds,
        calls=[ToolCallRecord(**call) for call in step.calls],
        alternatives=[AlternativeRecord(**alternative) for alternative in step.alternatives],
        value=step.value,
    )


def _segment_record(segment: SegmentArrays) -> SegmentRecord:
    return SegmentRecord(
        token_ids=segment.token_ids.tolist(),
        loss_mask=segment.loss_mask.tolist(),
        logprobs=segment.logprobs.tolist(),
        compression=segment.compression,
        engine_crc=segment.engine_crc,
    )
