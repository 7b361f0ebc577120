"""Frozen training sets: which rollouts, with which rewards, proved by a hash; read back group by group."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from store.errors import KarlError, UsageError
from store.models import Dataset, DatasetRollout, Rollout, Segment, Task
from store.queries.common import alternatives, bulk_insert, slices, table_of
from store.queries.groups import GroupMember
from store.queries.traces import SegmentArrays, segment_arrays
from store.types import Purpose, RolloutStatus

GROUPS_AT_ONCE = 32  # groups whose segments are in memory together


class DatasetRow(NamedTuple):
    """One rollout of a dataset; segments in order."""

    rollout_id: int
    group_id: int
    kind: str
    reward: float
    segments: list[SegmentArrays]


class DatasetGroup(NamedTuple):
    """All rollouts of one question: V is estimated over exactly these."""

    group_id: int
    rows: list[DatasetRow]

    @property
    def rewards(self) -> list[float]:
        return [row.reward for row in self.rows]


class TokenCheck(NamedTuple):
    """Of `segments` segments, `identical` hold exactly the token ids that the engine saw and sampled."""

    identical: int
    segments: int


class _Member(NamedTuple):
    group_id: int
    rollout_id: int
    reward: float


def freeze_dataset(
    session: Session,
    run_id: int,
    *,
    iteration: int,
    name: str,
    policy_version: int,
    groups: Mapping[int, Sequence[GroupMember]],
) -> Dataset:
    """Freeze `groups` (task id -> rollouts, as `queries.groups` returns them) under `name`.

    Failed rollouts leave their group. Freezing the same contents again returns the existing row.
    Raises: KarlError for other contents under the name, a rollout that is not judged, one not made for training, or
    one that is not trainable.
    """
    members = _members(groups, name=name)
    _check_purpose(session, members, name=name)
    _check_tokens(session, members, name=name)
    digest, segment_count, trained = _digest(session, members)
    existing = session.execute(select(Dataset).where(table_of(Dataset).c.name == name)).scalar_one_or_none()
    if existing is not None:
        if existing.sha256 != digest:
            raise KarlError(f"dataset {name} is frozen and its contents differ: freeze the new ones under another name")
        return existing
    dataset = Dataset(
        run_id=run_id,
        iteration=iteration,
        name=name,
        policy_version=policy_version,
        group_count=len({member.group_id for member in members}),
        rollout_count=len(members),
        segment_count=segment_count,
        trained_token_count=trained,
        sha256=digest,
    )
    session.add(dataset)
    session.flush()
    bulk_insert(session, DatasetRollout, rows=[{"dataset_id": dataset.id, **member._asdict()} for member in members])
    return dataset


def _members(groups: Mapping[int, Sequence[GroupMember]], *, name: str) -> list[_Member]:
    """Sorted by group and rollout. Raises: KarlError for a rollout without reward, or for none at all."""
    members: list[_Member] = []
    for group_id, group in groups.items():
        for rollout_id, reward, status in group:
            if status is RolloutStatus.FAILED:
                continue
            if reward is None:
                raise KarlError(f"dataset {name}: rollout {rollout_id} of task {group_id} is not judged yet")
            members.append(_Member(group_id, rollout_id, reward))
    if not members:
        raise KarlError(f"dataset {name}: no rollout to freeze; every group was dropped or failed")
    return sorted(members)


def _check_purpose(session: Session, members: Sequence[_Member], *, name: str) -> None:
    """Every member exists, can be trained on, and belongs to the group that it is frozen under."""
    table, tasks, untrainable = table_of(Rollout), dict[int, int | None](), set[int]()
    for part in slices([member.rollout_id for member in members]):
        columns = (table.c.id, table.c.task_id, table.c.trainable)
        query = select(*columns).where(table.c.id.in_(part), table.c.purpose == Purpose.TRAIN)
        rows = session.connection().execute(query).all()
        tasks.update((row.id, row.task_id) for row in rows)
        untrainable.update(row.id for row in rows if not row.trainable)
    for group_id, rollout_id, _ in members:
        if rollout_id not in tasks:
            raise KarlError(f"dataset {name}: rollout {rollout_id} is unknown or was not made for training")
        if tasks[rollout_id] != group_id:
            raise KarlError(f"dataset {name}: rollout {rollout_id} is of task {tasks[rollout_id]}, not of {group_id}")
    if untrainable:
        raise KarlError(
            f"dataset {name}: {len(untrainable)} of {len(members)} rollouts can't be trained on: their tokens are "
            "unknown (a chat endpoint) or were selected among candidates; sample the graph solver with the engine "
            "local or vllm"
        )


def _check_tokens(session: Session, members: Sequence[_Member], *, name: str) -> None:
    """No segment differs from what the engine saw; those of an older schema were not witnessed."""
    for part in slices([member.rollout_id for member in members]):
        for rollout_id, rows in _segments(session, part).items():
            if any(row.engine_crc is not None and row.engine_crc != zlib.crc32(row.token_ids) for row in rows):
                raise KarlError(
                    f"dataset {name}: the token ids of rollout {rollout_id} are not those that the engine saw: its "
                    "log-probs belong to other tokens; nothing was frozen"
                )


def token_check(session: Session, dataset_id: int) -> TokenCheck:
    """Compare every stored segment of the dataset with its engine's checksum again."""
    identical = total = 0
    for part in slices([member.rollout_id for member in _frozen_members(session, dataset_id)]):
        rows = [row for rows in _segments(session, part).values() for row in rows]
        identical += sum(row.engine_crc == zlib.crc32(row.token_ids) for row in rows)
        total += len(rows)
    return TokenCheck(identical, total)


def _digest(session: Session, members: Sequence[_Member]) -> tuple[str, int, int]:
    """sha256 over keys, rewards and segments in order; how many segments; how many trained tokens.

    Keys, not ids: the same contents hash the same in another store.
    """
    digest, segment_count, trained = hashlib.sha256(), 0, 0
    for part in slices(members, size=256):
        rollout_keys = _keys(session, Rollout, ids=[member.rollout_id for member in part])
        task_keys = _keys(session, Task, ids={member.group_id for member in part})
        segments = _segments(session, [member.rollout_id for member in part])
        for member in part:
            head = f"{task_keys[member.group_id]}\0{rollout_keys[member.rollout_id]}\0".encode()
            digest.update(head + struct.pack("<d", member.reward))
            for row in segments.get(member.rollout_id, []):
                digest.update(struct.pack("<?q", row.compression, row.token_count))
                digest.update(row.token_ids + row.loss_mask + row.logprobs)
                segment_count, trained = segment_count + 1, trained + row.trained_token_count
    return digest.hexdigest(), segment_count, trained


def _keys(session: Session, model: type[Rollout] | type[Task], *, ids: Iterable[int]) -> dict[int, str]:
    table = table_of(model)
    rows = session.connection().execute(select(table.c.id, table.c.key).where(table.c.id.in_(list(ids))))
    return {row.id: row.key for row in rows}


def _segments(session: Session, rollout_ids: Iterable[int]) -> dict[int, list[Any]]:
    table, found = table_of(Segment), dict[int, list[Any]]()
    for part in slices(rollout_ids):
        query = select(table).where(table.c.rollout_id.in_(part)).order_by(table.c.rollout_id, table.c.ordinal)
        for row in session.connection().execute(query):
            found.setdefault(row.rollout_id, []).append(row)
    return found


def _frozen_members(session: Session, dataset_id: int, *, rollout_ids: Sequence[int] | None = None) -> list[_Member]:
    """By group and rollout; only those of `rollout_ids` where given."""
    table, found = table_of(DatasetRollout), list[Any]()
    query = select(table.c.group_id, table.c.rollout_id, table.c.reward).where(table.c.dataset_id == dataset_id)
    if rollout_ids is None:
        found = list(session.connection().execute(query))
    else:
        for part in slices(set(rollout_ids)):
            found += session.connection().execute(query.where(table.c.rollout_id.in_(part))).all()
    return sorted(_Member(row.group_id, row.rollout_id, row.reward) for row in found)


def datasets(session: Session) -> list[Dataset]:
    """All, oldest first."""
    return list(session.execute(select(Dataset).order_by(table_of(Dataset).c.id)).scalars())


def dataset_by_name(session: Session, name: str) -> Dataset:
    """Raises: UsageError for an unknown name, with the closest ones, or those there are."""
    found = session.execute(select(Dataset).where(table_of(Dataset).c.name == name)).scalar_one_or_none()
    if found is None:
        known = alternatives(name, [row.name for row in datasets(session)])
        raise UsageError(f"no dataset {name!r} in this store; {known}")
    return found


def verify_dataset(session: Session, dataset_id: int) -> None:
    """Hash the contents again. Raises: KarlError if they are not what was frozen."""
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise KarlError(f"no dataset {dataset_id} in this store")
    digest, _, _ = _digest(session, _frozen_members(session, dataset_id))
    if digest != dataset.sha256:
        raise KarlError(f"dataset {dataset.name}: its rollouts changed since it was frozen (sha256 {digest[:12]}...)")


def dataset_questions(session: Session, dataset_id: int) -> list[tuple[Task, list[float]]]:
    """Every question with the rewards of its rollouts, by key; tokens are not read."""
    rewards: dict[int, list[float]] = {}
    for member in _frozen_members(session, dataset_id):
        rewards.setdefault(member.group_id, []).append(member.reward)
    table, tasks = table_of(Task), list[Task]()
    for part in slices(rewards):
        tasks += session.execute(select(Task).where(table.c.id.in_(part))).scalars()
    return [(task, rewards[task.id or 0]) for task in sorted(tasks, key=lambda task: task.key)]


def dataset_groups(session: Session, dataset_id: int, *, without: Collection[int] = ()) -> Iterator[DatasetGroup]:
    """Groups in the order of their ids, read a few at a time: memory does not grow with the dataset."""
    by_group: dict[int, list[_Member]] = {}
    for member in _frozen_members(session, dataset_id):
        if member.group_id not in without:
            by_group.setdefault(member.group_id, []).append(member)
    for part in slices(by_group.items(), size=GROUPS_AT_ONCE):
        rows = _rows(session, [member for _, members in part for member in members])
        for group_id, members in part:
            yield DatasetGroup(group_id, [rows[member.rollout_id] for member in members])


def dataset_rollouts(session: Session, dataset_id: int, rollout_ids: Sequence[int]) -> list[DatasetRow]:
    """These rollouts of the dataset, in this order. Raises: KarlError for one that is not in it."""
    rows = _rows(session, _frozen_members(session, dataset_id, rollout_ids=rollout_ids))
    missing = [rollout_id for rollout_id in rollout_ids if rollout_id not in rows]
    if missing:
        raise KarlError(f"dataset {dataset_id} does not hold rollout {missing[0]}")
    return [rows[rollout_id] for rollout_id in rollout_ids]


def _rows(session: Session, members: Sequence[_Member]) -> dict[int, DatasetRow]:
    segments = _segments(session, [member.rollout_id for member in members])
    kinds = _kinds(session, {member.group_id for member in members})
    return {member.rollout_id: _row(member, kind=kinds[member.group_id], segments=segments) for member in members}


def _kinds(session: Session, task_ids: Iterable[int]) -> dict[int, str]:
    table, found = table_of(Task), dict[int, str]()
    for part in slices(task_ids):
        found.update(
            (row.id, row.kind)
            for row in session.connection().execute(select(table.c.id, table.c.kind).where(table.c.id.in_(part)))
        )
    return found


def _row(member: _Member, *, kind: str, segments: Mapping[int, Sequence[Any]]) -> DatasetRow:
    arrays = [segment_arrays(row) for row in segments.get(member.rollout_id, [])]
    return DatasetRow(member.rollout_id, member.group_id, kind, member.reward, arrays)
