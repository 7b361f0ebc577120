"""What a run's rollouts came to and what they cost in tokens; other runs' do not count."""

from __future__ import annotations

from dataclasses import replace

from store.queries import (
    RolloutLinks,
    fates_by_iteration,
    neighbour,
    newest_rollouts,
    outcomes,
    reached,
    save_rollouts,
    spending,
)
from store.session import Store
from store.types import Failure, FailureKind, Fate, Purpose, Role, RolloutStatus
from tests.store.records import PROVENANCE, a_rollout, a_run, some_tasks


def test_sums_by_role_and_model(store: Store) -> None:
    large = replace(PROVENANCE, model="large")
    with store.session() as session:
        run_id, _ = a_run(session)
        other, _ = a_run(session, name="other")
        assert spending(session, run_id) == []
        save_rollouts(
            session,
            [
                (a_rollout("s1"), RolloutLinks(run_id=run_id)),
                (a_rollout("s2"), RolloutLinks(run_id=run_id)),
                (a_rollout("s3", provenance=large), RolloutLinks(run_id=run_id)),
                (a_rollout("g1", role=Role.GENERATOR, steps=[]), RolloutLinks(run_id=run_id)),
                (a_rollout("o1"), RolloutLinks(run_id=other)),
                (a_rollout("attempt"), RolloutLinks()),
            ],
        )
        assert [tuple(row) for row in spending(session, run_id)] == [
            (Role.GENERATOR, "tiny", 1, 0, 0, 0),
            (Role.SOLVER, "large", 1, 30, 14, 3),
            (Role.SOLVER, "tiny", 2, 60, 28, 6),
        ]
        newest = newest_rollouts(session, run_id, limit=2)
        assert [row[1:] for row in newest] == [(30, 14, 3), (0, 0, 0)]


def test_outcomes_tell_failures_and_rewards_apart(store: Store) -> None:
    gone = Failure(FailureKind.ENGINE, "gone")
    with store.session() as session:
        run_id, _ = a_run(session)
        save_rollouts(
            session,
            [
                (a_rollout("a"), RolloutLinks(run_id=run_id, iteration=1, arm="base", reward=0.5)),
                (a_rollout("b"), RolloutLinks(run_id=run_id, iteration=1, arm="base", reward=1.0)),
                (a_rollout("c"), RolloutLinks(run_id=run_id, iteration=1, arm="base")),
                (
                    a_rollout("d", status=RolloutStatus.FAILED, failure=gone),
                    RolloutLinks(run_id=run_id, iteration=1, arm="base"),
                ),
                (a_rollout("e", purpose=Purpose.EVALUATE), RolloutLinks(run_id=run_id, iteration=2, arm="oapl-1")),
            ],
        )
        found = {
            (row.purpose, row.iteration, row.arm, row.status, row.failure_kind): row
            for row in outcomes(session, run_id)
        }
    base = found[Purpose.TRAIN, 1, "base", RolloutStatus.FINISHED, None]
    assert (base.rollouts, base.rewarded, base.reward) == (3, 2, 0.75)
    failed = found[Purpose.TRAIN, 1, "base", RolloutStatus.FAILED, FailureKind.ENGINE]
    assert (failed.rollouts, failed.rewarded, failed.reward) == (1, 0, None)
    assert found[Purpose.EVALUATE, 2, "oapl-1", RolloutStatus.FINISHED, None].rollouts == 1
    assert len(found) == 3


def test_fates_of_all_iterations(store: Store) -> None:
    with store.session() as session:
        run_id, corpus_id = a_run(session)
        place = {"run_id": run_id, "corpus_id": corpus_id}
        some_tasks(session, **place, fates=[Fate.HELD_OUT] * 3, iteration=0)
        some_tasks(session, **place, fates=[Fate.KEPT, Fate.KEPT, Fate.ALL_WRONG, Fate.MALFORMED])
        some_tasks(session, **place, fates=[Fate.PROPOSED], iteration=2)
        found = fates_by_iteration(session, run_id)
    assert found == {1: {Fate.KEPT: 2, Fate.ALL_WRONG: 1, Fate.MALFORMED: 1}, 2: {Fate.PROPOSED: 1}}
    assert list(reached(found[1].items()).values()) == [4, 3, 3, 3, 2, 2]


def test_the_run_before_and_the_run_behind(store: Store) -> None:
    with store.session() as session:
        first, second = (a_run(session, name=name)[0] for name in ("one", "two"))
        assert (neighbour(session, first, newer=True), neighbour(session, second, newer=False)) == (second, first)
        assert (neighbour(session, second, newer=True), neighbour(session, first, newer=False)) == (None, None)
