"""Evaluated runs as a list; behaviour and shortfalls of their arms."""

from __future__ import annotations

import pytest

from store.models import EvalResult
from store.queries import (
    ClassCount,
    behaviour_counts,
    create_run,
    evaluated_runs,
    save_eval_result,
    shortfall_total,
    shortfalls,
)
from store.session import Store
from store.types import RolloutStatus
from tests.store.records import a_run
from tests.tui.evals_kit import THRESHOLD, evaluated_run


def test_only_evaluated_runs_are_listed_and_no_document_is_read(store: Store):
    with store.session() as session:
        _, corpus_id = a_run(session)
        first = evaluated_run(session)
        second = create_run(session, name="eval-x", corpus_id=corpus_id, settings={}).id or 0
        save_eval_result(session, EvalResult(run_id=second, arm="setup", split="setup"))
        save_eval_result(session, EvalResult(run_id=second, arm="ab" * 32, split="document", figures={"big": [1] * 9}))
        newest, oldest = evaluated_runs(session)
        assert (newest.run_id, newest.setup, newest.documents, newest.arms) == (second, True, ("ab" * 32,), ())
        assert (newest.questions, newest.threshold) == (None, None)
        assert (oldest.run_id, oldest.setup, oldest.arms) == (first, False, ("base", "oapl-1"))
        assert (oldest.questions, oldest.threshold) == (4, THRESHOLD)
        assert [run.run_id for run in evaluated_runs(session, limit=1)] == [second]


def test_behaviour_is_counted_by_arm(store: Store):
    with store.session() as session:
        run_id = evaluated_run(session)
        counts = behaviour_counts(session, run_id, threshold=THRESHOLD)
        assert sorted(counts) == [
            ClassCount("base", "explore_then_commit", 6, 6, 2),
            ClassCount("base", "giving_up_early", 2, 2, 1),
            # One of the eight failed, and has no class.
            ClassCount("oapl-1", "explore_then_commit", 5, 5, 3),
            ClassCount("oapl-1", "giving_up_early", 2, 2, 2),
        ]
        assert behaviour_counts(session, run_id + 1, threshold=THRESHOLD) == []


def test_shortfalls_page_by_page(store: Store):
    with store.session() as session:
        run_id = evaluated_run(session)
        first = shortfalls(session, run_id, arm="oapl-1", threshold=THRESHOLD, limit=2)
        assert [(one.status, one.reward, one.reason) for one in first] == [
            (RolloutStatus.FAILED, None, "no index"),
            (RolloutStatus.FINISHED, 0.0, ""),
        ]
        assert {one.reference for one in first} == {"reference 3"}
        (last,) = shortfalls(session, run_id, arm="oapl-1", threshold=THRESHOLD, before=first[-1].rollout_id)
        assert (last.reference, last.kind, last.reward) == ("reference 2", "office", 0.0)
        assert shortfall_total(session, run_id, arm="oapl-1", threshold=THRESHOLD) == 3
        assert shortfall_total(session, run_id, arm="base", threshold=THRESHOLD) == 5


@pytest.mark.parametrize("statement", ["behaviour", "shortfalls"])
def test_the_covering_index_answers(store: Store, statement: str):
    """Rows are wide, and there are many."""
    from sqlalchemy import event

    plans: list[str] = []
    with store.session() as session:
        run_id = evaluated_run(session)
        connection = session.connection()

        def explain(conn, cursor, text, parameters, context, executemany):
            cursor.execute(f"EXPLAIN QUERY PLAN {text}", parameters)
            plans.extend(row[3] for row in cursor.fetchall())
            cursor.execute(text, parameters)

        event.listen(connection, "after_cursor_execute", explain)
        if statement == "behaviour":
            behaviour_counts(session, run_id, threshold=THRESHOLD)
        else:
            shortfall_total(session, run_id, arm="base", threshold=THRESHOLD)
    assert any("COVERING INDEX ix_rollout_filter" in plan for plan in plans), plans
