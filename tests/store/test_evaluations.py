"""Evaluation rollouts page by page, without their tokens."""

from __future__ import annotations

import dataclasses

from store.corpus import ingest
from store.models import Task
from store.queries import (
    RolloutLinks,
    cited_by_tasks,
    corpus_chunks,
    documents_of_chunks,
    evaluated_pages,
    evaluation_arms,
    save_rollouts,
    save_tasks,
)
from store.session import Store
from store.types import Purpose
from tests.store.records import a_rollout, a_run


def evaluated(store: Store) -> int:
    """Seven rollouts of `base`, two of `oapl-1` evaluated before it, one for training."""
    with store.session() as session:
        run_id, _ = a_run(session)
        arms = ["oapl-1", *["base"] * 7, "oapl-1"]
        save_rollouts(
            session,
            [
                (
                    a_rollout(f"r{n}", purpose=Purpose.EVALUATE),
                    RolloutLinks(run_id=run_id, task_id=None, arm=arm, attempt=n, reward=n / 10),
                )
                for n, arm in enumerate(arms)
            ],
        )
        save_rollouts(session, [(a_rollout("train"), RolloutLinks(run_id=run_id, arm="base", reward=1.0))])
    return run_id


def test_pages_hold_every_rollout_of_the_arm_once_with_its_steps(store: Store) -> None:
    run_id = evaluated(store)
    with store.session() as session:
        pages = list(evaluated_pages(session, run_id, arm="base", size=3))
    assert [len(page) for page in pages] == [3, 3, 1]
    found = [one for page in pages for one in page]
    assert [one.record.key for one in found] == [f"r{n}" for n in range(1, 8)]
    assert [one.reward for one in found] == [n / 10 for n in range(1, 8)]
    whole = a_rollout("r1", purpose=Purpose.EVALUATE)
    assert found[0].record == dataclasses.replace(whole, segments=[])


def test_arms_in_the_order_of_their_evaluation(store: Store) -> None:
    run_id = evaluated(store)
    with store.session() as session:
        assert evaluation_arms(session, run_id) == ["oapl-1", "base"]
        assert evaluation_arms(session, run_id + 1) == []
        assert list(evaluated_pages(session, run_id, arm="sft-1")) == []


def test_gold_chunks_and_documents(store: Store, tmp_path) -> None:  # type: ignore[no-untyped-def]
    notes = tmp_path / "notes"
    notes.mkdir()
    for name in ("a", "b"):
        (notes / f"{name}.md").write_text(f"# {name}\n\nOne note about {name}.\n")
    ingest(store, notes, name="notes")
    with store.session() as session:
        run_id, corpus_id = a_run(session)
        asked = {"run_id": run_id, "iteration": 0, "corpus_id": corpus_id, "question": "?", "answer": "a"}
        ids = save_tasks(session, [Task(key="x", citations=[4, 2], **asked), Task(key="y", **asked)])
        assert cited_by_tasks(session, [*ids, 99]) == {ids[0]: [4, 2]}
        chunks = [chunk for corpus in (1, 2) for chunk in corpus_chunks(session, corpus)]
        documents = {chunk.id: chunk.document_id for chunk in chunks}
        assert len(set(documents.values())) == 2
        assert documents_of_chunks(session, [*documents, 10_000]) == documents
