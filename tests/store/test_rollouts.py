"""Rollouts in and out of the store."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import func, select

from store.errors import KarlError
from store.models import Rollout, Segment, Step
from store.queries import (
    RolloutLinks,
    failure_counts,
    groups,
    load_rollout,
    rollout_keys,
    save_rollouts,
    set_rewards,
    trace_record,
)
from store.session import Store
from store.types import Failure, FailureKind, Fate, Purpose, RolloutStatus
from tests.store.records import a_rollout, a_run, some_tasks

FAILED = {"status": RolloutStatus.FAILED, "failure": Failure(FailureKind.TOOL, "index gone", "Traceback ...")}


def count(store: Store, model: type[Rollout] | type[Step] | type[Segment]) -> int:
    with store.session() as session:
        return session.execute(select(func.count()).select_from(model)).scalar_one()


def test_a_rollout_comes_back_as_it_was(store: Store) -> None:
    record = a_rollout("r/1")
    with store.session() as session:
        run_id, _ = a_run(session)
        (rollout_id,) = save_rollouts(session, [(record, RolloutLinks(run_id=run_id, arm="base", reward=1.0))])
    with store.session() as session:
        trace = load_rollout(session, rollout_id)
        assert trace_record(trace) == record
        assert (trace.rollout.step_count, trace.rollout.search_count, trace.rollout.sampled_tokens) == (4, 3, 14)
        assert (trace.rollout.arm, trace.rollout.reward) == ("base", 1.0)
        assert [segment.compression for segment in trace.segments] == [False, False, True]
        assert trace.segments[0].token_ids.dtype == "int32"


def test_failure_comes_back(store: Store) -> None:
    record = a_rollout("r/1", **FAILED, steps=[], segments=[])
    with store.session() as session:
        (rollout_id,) = save_rollouts(session, [(record, RolloutLinks())])
        assert trace_record(load_rollout(session, rollout_id)) == record


def test_saving_twice_changes_nothing(store: Store) -> None:
    with store.session() as session:
        first = save_rollouts(session, [(a_rollout("r/1"), RolloutLinks()), (a_rollout("r/2"), RolloutLinks())])
    with store.session() as session:
        other = a_rollout("r/2", answer="changed")
        second = save_rollouts(session, [(other, RolloutLinks()), (a_rollout("r/3"), RolloutLinks())])
        assert second[0] == first[1]
        assert load_rollout(session, second[0]).rollout.answer == "Mira"
    assert (count(store, Rollout), count(store, Step), count(store, Segment)) == (3, 12, 9)


def test_a_failed_rollout_is_replaced_under_its_id(store: Store) -> None:
    with store.session() as session:
        (failed,) = save_rollouts(session, [(a_rollout("r/1", **FAILED), RolloutLinks())])
    with store.session() as session:
        assert load_rollout(session, failed).rollout.status is RolloutStatus.FAILED
        (again,) = save_rollouts(session, [(a_rollout("r/1"), RolloutLinks(reward=1.0))])
        trace = load_rollout(session, again)
        assert (again, trace.rollout.reward, trace.rollout.failure_kind) == (failed, 1.0, None)
        assert trace_record(trace) == a_rollout("r/1")
    assert (count(store, Rollout), count(store, Step), count(store, Segment)) == (1, 4, 3)


def test_one_key_twice_in_a_batch_keeps_the_one_that_did_not_fail(store: Store) -> None:
    batch = [(a_rollout("r/1", **FAILED), RolloutLinks()), (a_rollout("r/1"), RolloutLinks())]
    with store.session() as session:
        ids = save_rollouts(session, batch)
        assert ids[0] == ids[1]
        assert load_rollout(session, ids[0]).rollout.status is RolloutStatus.FINISHED


def test_keys_of_a_run(store: Store) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        other, _ = a_run(session, name="other")
        links = RolloutLinks(run_id=run_id)
        save_rollouts(session, [(a_rollout(key), links) for key in ("a_1/x", "a_1/y", "ab1/z")])
        save_rollouts(session, [(a_rollout("a_1/other"), RolloutLinks(run_id=other))])
        save_rollouts(session, [(a_rollout("a_1/failed", **FAILED), links)])
        assert rollout_keys(session, run_id, prefix="a_1/") == {"a_1/x", "a_1/y", "a_1/failed"}
        assert rollout_keys(session, run_id, prefix="a_1/", failed=False) == {"a_1/x", "a_1/y"}
        assert rollout_keys(session, run_id, failed=False) == {"a_1/x", "a_1/y", "ab1/z"}


def test_groups_hold_attempts_in_order_and_failures(store: Store) -> None:
    with store.session() as session:
        run_id, corpus_id = a_run(session)
        first, second = some_tasks(session, run_id=run_id, corpus_id=corpus_id, fates=[Fate.MIXED, Fate.MIXED])

        def links(task_id: int, attempt: int, reward: float | None) -> RolloutLinks:
            return RolloutLinks(run_id=run_id, iteration=1, task_id=task_id, attempt=attempt, reward=reward)

        rows = [
            (a_rollout("b"), links(first, 1, 0.0)),
            (a_rollout("a"), links(first, 0, 1.0)),
            (a_rollout("c", **FAILED), links(second, 0, None)),
            (a_rollout("d", purpose=Purpose.EVALUATE), links(second, 1, 1.0)),
        ]
        b, a, c, _ = save_rollouts(session, rows)
        found = groups(session, run_id, iteration=1)
        assert found[first] == [(a, 1.0, RolloutStatus.FINISHED), (b, 0.0, RolloutStatus.FINISHED)]
        assert found[second] == [(c, None, RolloutStatus.FAILED)]
        assert groups(session, run_id, iteration=2) == {}
        assert failure_counts(session, run_id) == {"tool": 1}


def test_rewards_must_be_finite_and_not_on_failures(store: Store) -> None:
    with store.session() as session:
        good, bad = save_rollouts(
            session, [(a_rollout("r/1"), RolloutLinks()), (a_rollout("r/2", **FAILED), RolloutLinks())]
        )
        set_rewards(session, {good: 1.0})
        assert load_rollout(session, good).rollout.reward == 1.0
        with pytest.raises(KarlError, match="failed"):
            set_rewards(session, {bad: 0.0})
        with pytest.raises(KarlError, match="finite"):
            set_rewards(session, {good: float("nan")})
        with pytest.raises(KarlError, match="finite"):
            save_rollouts(session, [(a_rollout("r/3"), RolloutLinks(reward=float("inf")))])


def test_many_keys_pass_the_limit_of_bound_values(store: Store) -> None:
    small = a_rollout("x", steps=[], segments=[])
    rows = [(dataclasses.replace(small, key=f"r/{n}"), RolloutLinks()) for n in range(1203)]
    with store.session() as session:
        assert len(set(save_rollouts(session, rows))) == 1203
    with store.session() as session:
        assert len(set(save_rollouts(session, rows))) == 1203
    assert count(store, Rollout) == 1203


def test_text_that_no_database_takes_costs_no_rollout(store: Store) -> None:
    step = dataclasses.replace(a_rollout("r/1").steps[0], text="a\ud83d b\0")
    failure = Failure(FailureKind.TOOL, "no \ude00", "Traceback \ude00")
    record = dataclasses.replace(a_rollout("r/1"), answer="\ud83d", steps=[step], failure=failure)
    with store.session() as session:
        run_id, _ = a_run(session)
        (rollout_id,) = save_rollouts(session, [(record, RolloutLinks(run_id=run_id))])
    with store.session() as session:
        trace = load_rollout(session, rollout_id)
    row = trace.rollout
    assert (row.answer, row.failure_reason, row.failure_kind) == ("\ufffd", "no \ufffd", FailureKind.TOOL)
    assert trace.steps[0].text == "a\ufffd b\ufffd"
    assert trace.steps[0].kind is step.kind
