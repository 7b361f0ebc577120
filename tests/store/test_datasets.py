"""Frozen datasets: counts, hash, refusal, reading back."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from store.errors import KarlError
from store.models import Dataset, Segment
from store.queries import (
    RolloutLinks,
    dataset_by_name,
    dataset_groups,
    dataset_questions,
    freeze_dataset,
    groups,
    save_rollouts,
    token_check,
    verify_dataset,
)
from store.session import Store
from store.types import Failure, FailureKind, Fate, Purpose, RolloutStatus
from tests.store.records import a_rollout, a_run, a_segment, some_tasks


def three_groups(session: Session, *, name: str = "run", judged: bool = True) -> int:
    """A run with three questions of four rollouts each, one of which failed; returns its id."""
    run_id, corpus_id = a_run(session, name=name)
    tasks = some_tasks(session, run_id=run_id, corpus_id=corpus_id, fates=[Fate.KEPT] * 3)
    failed = {"status": RolloutStatus.FAILED, "failure": Failure(FailureKind.ENGINE, "down")}
    rows = []
    for task_id in tasks:
        for n in range(4):
            record = a_rollout(f"{name}/{task_id}/{n}", **(failed if n == 3 else {}))
            reward = float(n % 2) if n < 3 and judged else None
            links = RolloutLinks(run_id=run_id, iteration=1, task_id=task_id, attempt=n, reward=reward)
            rows.append((record, links))
    save_rollouts(session, rows)
    return run_id


def freeze(session: Session, run_id: int, *, name: str = "d", **changes: Any) -> Dataset:
    found = groups(session, run_id, iteration=1)
    return freeze_dataset(
        session, run_id, **({"iteration": 1, "name": name, "policy_version": 3, "groups": found} | changes)
    )


def test_counts_hash_and_contents(store: Store) -> None:
    with store.session() as session:
        run_id = three_groups(session)
        dataset = freeze(session, run_id)
        assert (dataset.group_count, dataset.rollout_count, dataset.segment_count) == (3, 9, 27)
        assert dataset.trained_token_count == 27 * 4
        assert len(dataset.sha256) == 64
        verify_dataset(session, dataset.id or 0)
    with store.session() as session:
        found = list(dataset_groups(session, dataset_by_name(session, "d").id or 0))
        assert [group.rewards for group in found] == [[0.0, 1.0, 0.0]] * 3
        segment = found[0].rows[0].segments[1]
        assert segment.token_ids.tolist() == a_segment(1).token_ids
        assert segment.logprobs.tolist() == a_segment(1).logprobs
        assert {row.group_id for row in found[1].rows} == {found[1].group_id}


def test_questions_come_with_rewards_and_groups_may_be_left_out(store: Store) -> None:
    with store.session() as session:
        id_ = freeze(session, three_groups(session)).id or 0
        (first, rewards), *others = dataset_questions(session, id_)
        assert (first.question, rewards) == ("question 0", [0.0, 1.0, 0.0]) and len(others) == 2
        left = [group.group_id for group in dataset_groups(session, id_, without=[first.id or 0])]
        assert left == [task.id for task, _ in others]


def test_the_same_contents_again_are_the_same_dataset_and_others_are_refused(store: Store) -> None:
    with store.session() as session:
        run_id = three_groups(session)
        first = freeze(session, run_id)
        assert freeze(session, run_id).id == first.id
        fewer = dict(list(groups(session, run_id, iteration=1).items())[:2])
        with pytest.raises(KarlError, match="frozen and its contents differ"):
            freeze(session, run_id, groups=fewer)
        assert freeze(session, run_id, name="e", groups=fewer).sha256 != first.sha256


def test_the_hash_does_not_depend_on_row_ids(tmp_path) -> None:
    digests = []
    for n, warm_up in enumerate((0, 5)):
        store = Store.open(f"sqlite:///{tmp_path}/{n}.db")
        with store.session() as session:
            save_rollouts(session, [(a_rollout(f"other/{k}"), RolloutLinks()) for k in range(warm_up)])
            digests.append(freeze(session, three_groups(session)).sha256)
        store.close()
    assert digests[0] == digests[1]


def test_tampering_is_found(store: Store) -> None:
    with store.session() as session:
        dataset = freeze(session, three_groups(session))
    with store.session() as session:
        session.execute(text("UPDATE segment SET logprobs = zeroblob(32) WHERE id = 1"))
        with pytest.raises(KarlError, match="changed since it was frozen"):
            verify_dataset(session, dataset.id or 0)


def test_tokens_are_checked_against_what_the_engine_saw(store: Store) -> None:
    with store.session() as session:
        run_id = three_groups(session)
        dataset = freeze(session, run_id)
        assert token_check(session, dataset.id or 0) == (0, dataset.segment_count)  # nobody witnessed these
        task_id, members = next(iter(groups(session, run_id, iteration=1).items()))
        ids = session.exec(select(Segment).where(Segment.rollout_id == members[0].rollout_id)).all()
        for row in ids:
            row.engine_crc = zlib.crc32(row.token_ids)
        session.flush()
        assert token_check(session, dataset.id or 0) == (len(ids), dataset.segment_count)
        ids[0].engine_crc = zlib.crc32(b"other ids")
        session.flush()
        with pytest.raises(KarlError, match="not those that the engine saw"):
            freeze(session, run_id, groups={task_id: members})


def test_what_may_not_be_frozen(store: Store) -> None:
    with store.session() as session:
        run_id = three_groups(session, judged=False)
        with pytest.raises(KarlError, match="not judged"):
            freeze(session, run_id)
        with pytest.raises(KarlError, match="no rollout to freeze"):
            freeze(session, run_id, groups={})
        task_id = next(iter(groups(session, run_id, iteration=1)))
        record = a_rollout("eval/1", purpose=Purpose.EVALUATE)
        (evaluated,) = save_rollouts(session, [(record, RolloutLinks(run_id=run_id, task_id=task_id, reward=1.0))])
        with pytest.raises(KarlError, match="not made for training"):
            freeze(session, run_id, groups={task_id: [(evaluated, 1.0, RolloutStatus.FINISHED)]})
        (strayed,) = save_rollouts(
            session, [(a_rollout("t/1"), RolloutLinks(run_id=run_id, task_id=task_id, reward=1.0))]
        )
        (unknown,) = save_rollouts(
            session,
            [(a_rollout("u/1", trainable=False), RolloutLinks(run_id=run_id, task_id=task_id, reward=1.0))],
        )
        with pytest.raises(KarlError, match="1 of 1 rollouts can't be trained on"):
            freeze(session, run_id, groups={task_id: [(unknown, 1.0, RolloutStatus.FINISHED)]})
        with pytest.raises(KarlError, match="not of"):
            freeze(session, run_id, groups={task_id + 1: [(strayed, 1.0, RolloutStatus.FINISHED)]})
