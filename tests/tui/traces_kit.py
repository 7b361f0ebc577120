"""Rollouts that have something of everything to look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from store.models import Chunk, Corpus, Document, Judgement, Task
from store.queries import RolloutLinks, create_run, save_judgements, save_rollouts, save_tasks
from store.session import Session
from store.types import (
    AlternativeRecord,
    Failure,
    FailureKind,
    Fate,
    Purpose,
    Role,
    RolloutStatus,
    SegmentRecord,
    StepKind,
    StepRecord,
    ToolCallRecord,
)
from tests.store.records import a_rollout

QUESTION = "Who leads the team [Atlas]?"  # in brackets, as data that looks like markup


class Filled(NamedTuple):
    """Ids of a run, of its question, and of rollouts."""

    run: int
    task: int
    good: int  # every kind of step, judged right
    failed: int
    voted: int  # combines two attempts


def fill_traces(session: Session, source: Path, *, name: str = "notes-1") -> Filled:
    corpus = Corpus(name=f"{name}-corpus", source=str(source))
    session.add(corpus)
    session.flush()
    gold, *others = _chunks(session, corpus.id or 0)
    run = create_run(session, name=name, corpus_id=corpus.id or 0, settings={"iterations": 1}).id or 0
    asked = {"run_id": run, "iteration": 1, "corpus_id": corpus.id or 0, "fate": Fate.KEPT}
    facts = {"question": QUESTION, "answer": "Mira", "nuggets": ["Mira", "since May"], "citations": [gold]}
    (task,) = save_tasks(session, [Task(key=f"{name}/1", **asked, **facts)])
    links = RolloutLinks(run_id=run, iteration=1, task_id=task)
    rollouts = [
        (_good(f"{name}/good", gold, others), replace(links, reward=0.5, behaviour="explore_then_verify")),
        (_failed(f"{name}/failed"), replace(links, attempt=1)),
        (_voted(f"{name}/voted"), replace(links, reward=1.0, arm="base", iteration=0)),
        *((a_rollout(f"{name}/voted/solver-{n}", answer=f"answer {n}"), RolloutLinks(attempt=n)) for n in (1, 2)),
    ]
    good, failed, voted, *_ = save_rollouts(session, rollouts)
    said = {"kind": "nuggets", "judge": "rule", "labels": ["support", "not_support"], "score": 0.5}
    save_judgements(session, [Judgement(key=f"{name}/n", rollout_id=good, reason="one of two", **said)])
    return Filled(run, task, good, failed, voted)


def _chunks(session: Session, corpus_id: int) -> list[int]:
    """Of a PDF's third page, and of two notes."""
    ids = list[int]()
    for path, kind, page, text in (
        ("report.pdf", "pdf", 3, "Mira leads Atlas since May."),
        ("mira.md", "markdown", None, "Mira is a lead."),
        ("ilse.md", "markdown", None, "Ilse leads Orion."),
    ):
        document = Document(corpus_id=corpus_id, path=path, kind=kind, sha256="")
        session.add(document)
        session.flush()
        both = {"corpus_id": corpus_id, "document_id": document.id or 0}
        chunk = Chunk(**both, key=f"{path}#0", ordinal=0, page=page, title=path.upper(), text=text, sha256="")
        session.add(chunk)
        session.flush()
        ids.append(chunk.id or 0)
    return ids


def _good(key: str, gold: int, others: list[int]):
    calls = [
        ToolCallRecord("search", {"query": "atlas lead"}, [others[0], gold], seconds=0.2),
        ToolCallRecord("search", {"query": "orion"}, [others[1], 999], seconds=0.1),
        ToolCallRecord("search", {"query": ""}, error="an empty query"),
        ToolCallRecord("lookup", {"name": "Mira"}, reply="Mira: [lead]"),
    ]
    found = [others[0], gold, others[1], 999]
    alternatives = [
        AlternativeRecord("I search for Atlas.", 0.75, kept=True, sampled_tokens=9, value_function="value-1"),
        AlternativeRecord("I give up.", 0.125, kept=False, sampled_tokens=4, value_function="value-1"),
    ]
    steps = [
        StepRecord(
            StepKind.SEARCH, "I search for Atlas.", "atlas lead", found, 400, 9, 1.0, 0.3, calls, alternatives, 0.75
        ),
        StepRecord(StepKind.COMPRESS, "Atlas: see the report.", None, [], 3812, 96),
        StepRecord(
            StepKind.SEARCH,
            "Once more.",
            "atlas",
            [gold],
            410,
            5,
            calls=[ToolCallRecord("search", {"query": "atlas"}, [gold])],
        ),
        StepRecord(StepKind.ANSWER, "Mira leads it.", None, [], 500, 7),
    ]
    tokens = SegmentRecord([5, 6, 7, 8], [0, 0, 1, 1], [0.0, 0.0, -0.05, -3.0])
    return a_rollout(
        key, question=QUESTION, steps=steps, answer="Mira", citations=[gold], segments=[tokens, replace(tokens)]
    )


def _failed(key: str):
    failure = Failure(FailureKind.TIMEOUT, "no byte for 600 s", "Traceback (most recent call last)")
    return a_rollout(
        key, question=QUESTION, status=RolloutStatus.FAILED, failure=failure, answer="", explanation="", citations=[]
    )


def _voted(key: str):
    steps = [StepRecord(StepKind.ANSWER, "majority: 2 of 2 attempts answered", value=1.0)]
    facts = {"role": Role.AGGREGATOR, "purpose": Purpose.EVALUATE, "steps": steps, "segments": [], "trainable": False}
    return a_rollout(key, question=QUESTION, answer="answer 1", **facts)


def fill_many(session: Session, run_id: int, count: int) -> None:
    """Plain rollouts of a run, with rewards from 0.00 on in steps of a hundredth, over and over."""
    made = [(a_rollout(f"many/{n}"), RolloutLinks(run_id=run_id, reward=n % 100 / 100)) for n in range(count)]
    save_rollouts(session, made)
