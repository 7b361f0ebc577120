"""Made-up rollouts for the store's tests."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlmodel import Session

from store.models import Corpus, Task
from store.queries import create_run, save_tasks
from store.types import (
    AlternativeRecord,
    Fate,
    Provenance,
    Purpose,
    Role,
    RolloutRecord,
    RolloutStatus,
    SegmentRecord,
    StepKind,
    StepRecord,
    ToolCallRecord,
)

PROVENANCE = Provenance("solver", "a" * 64, {"solver": "b" * 64}, "tiny", 3)


def a_segment(seed: int, *, tokens: int = 8) -> SegmentRecord:
    mask = [int(t >= tokens // 2) for t in range(tokens)]
    return SegmentRecord(
        token_ids=[(seed * 31 + t) % 1000 for t in range(tokens)],
        loss_mask=mask,
        logprobs=[-0.5 * (t + 1) * m for t, m in enumerate(mask)],
        compression=seed % 3 == 2,
    )


def a_rollout(key: str, **changes: Any) -> RolloutRecord:
    """A finished rollout of 4 steps and 3 segments."""
    steps = [
        StepRecord(
            StepKind.SEARCH,
            f"search {n}",
            query=f"words {n}",
            hits=[n, n + 1],
            prompt_tokens=10,
            sampled_tokens=4,
            calls=[ToolCallRecord("search", {"query": f"words {n}"}, hits=[n, n + 1], seconds=0.5)],
            alternatives=[AlternativeRecord(f"search {n}", 0.75, kept=True, sampled_tokens=4)],
            value=0.75,
        )
        for n in range(3)
    ]
    record = RolloutRecord(
        key=key,
        role=Role.SOLVER,
        purpose=Purpose.TRAIN,
        status=RolloutStatus.FINISHED,
        provenance=PROVENANCE,
        question="Who leads the team?",
        answer="Mira",
        explanation="[1] says so",
        confidence=0.75,
        citations=[1],
        steps=[*steps, StepRecord(StepKind.ANSWER, "Mira", sampled_tokens=2)],
        segments=[a_segment(n) for n in range(3)],
        temperature=0.5,
        seed=7,
        seconds=0.25,
        queued=0.5,
        began=0.75,
    )
    return dataclasses.replace(record, **changes)


def a_run(session: Session, *, name: str = "run") -> tuple[int, int]:
    """(run id, corpus id) of a new run over a new corpus."""
    corpus = Corpus(name=f"{name}-notes", source="notes")
    session.add(corpus)
    session.flush()
    run = create_run(session, name=name, corpus_id=corpus.id or 0, settings={})
    return run.id or 0, corpus.id or 0


def some_tasks(session: Session, *, run_id: int, corpus_id: int, fates: list[Fate], iteration: int = 1) -> list[int]:
    return save_tasks(
        session,
        [
            Task(
                key=f"{run_id}/{iteration}/{n}",
                run_id=run_id,
                iteration=iteration,
                corpus_id=corpus_id,
                question=f"question {n}",
                answer="answer",
                fate=fate,
                reason="" if fate in {Fate.KEPT, Fate.MIXED} else f"because {fate}",
            )
            for n, fate in enumerate(fates)
        ],
    )
