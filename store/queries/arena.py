"""The arena's rows: battles with their answers and votes, systems by what they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from store.errors import UsageError
from store.models import ArenaAnswer, ArenaBattle, ArenaSystem, ArenaVote, Rollout
from store.queries.common import alternatives, slices, table_of
from store.types import RolloutStatus


class ArenaColumn(NamedTuple):
    """One answer of a battle, with who gave it. `rollout` None: there was none, `answer.failure` says why."""

    answer: ArenaAnswer
    system: ArenaSystem
    rollout: Rollout | None

    @property
    def status(self) -> RolloutStatus:
        return RolloutStatus.FAILED if self.rollout is None else self.rollout.status

    @property
    def answered(self) -> bool:
        return self.status is RolloutStatus.FINISHED


class ArenaRecord(NamedTuple):
    """A battle as it stands: columns by letter, the vote where there is one."""

    battle: ArenaBattle
    columns: list[ArenaColumn]
    vote: ArenaVote | None

    @property
    def winner(self) -> ArenaColumn | None:
        """The column voted for."""
        wanted = self.vote.answer_id if self.vote else None
        return next((column for column in self.columns if column.answer.id == wanted), None)


def arena_system(session: Session, system: ArenaSystem) -> ArenaSystem:
    """The row of the same key: the one that is there, else this one."""
    table = table_of(ArenaSystem)
    found = session.execute(select(ArenaSystem).where(table.c.key == system.key)).scalar_one_or_none()
    if found is not None:
        return found
    session.add(system)
    session.flush()
    return system


def save_arena_battle(session: Session, battle: ArenaBattle, answers: Sequence[ArenaAnswer]) -> None:
    """A battle with its answers, whose `battle_id` is filled in here."""
    session.add(battle)
    session.flush()
    assert battle.id is not None
    for answer in answers:
        answer.battle_id = battle.id
        session.add(answer)
    session.flush()


def save_arena_vote(session: Session, vote: ArenaVote) -> ArenaVote:
    """Raises: UsageError where the battle has one already: two people may vote at once."""
    session.add(vote)
    try:
        session.flush()
    except IntegrityError as exc:
        raise UsageError("this battle has its vote already; after it the names are known: ask again") from exc
    return vote


def arena_battle(session: Session, key: str) -> ArenaRecord:
    """Raises: UsageError for an unknown key, with the closest ones, or those there are."""
    table = table_of(ArenaBattle)
    battle = session.execute(select(ArenaBattle).where(table.c.key == key)).scalar_one_or_none()
    if battle is None:
        newest = session.execute(select(table.c.key).order_by(table.c.id.desc()).limit(20)).scalars()
        raise UsageError(f"no battle {key!r}; {alternatives(key, list(newest))}")
    return _records(session, [battle])[0]


def arena_battles(session: Session, *, corpus_id: int | None = None, limit: int | None = None) -> list[ArenaRecord]:
    """Newest first; of all corpora, or of one."""
    table = table_of(ArenaBattle)
    query = select(ArenaBattle).order_by(table.c.id.desc()).limit(limit)
    if corpus_id is not None:
        query = query.where(table.c.corpus_id == corpus_id)
    return _records(session, list(session.execute(query).scalars()))


def _records(session: Session, battles: Sequence[ArenaBattle]) -> list[ArenaRecord]:
    ids = [battle.id for battle in battles if battle.id is not None]
    columns, votes = _columns(session, ids), _votes(session, ids)
    return [ArenaRecord(battle, columns[battle.id or 0], votes.get(battle.id or 0)) for battle in battles]


def _columns(session: Session, battle_ids: Iterable[int]) -> dict[int, list[ArenaColumn]]:
    table, system, rollout = table_of(ArenaAnswer), table_of(ArenaSystem), table_of(Rollout)
    found: dict[int, list[ArenaColumn]] = defaultdict(list)
    for part in slices(battle_ids):
        query = (
            select(ArenaAnswer, ArenaSystem, Rollout)
            .join(ArenaSystem, system.c.id == table.c.system_id)
            .outerjoin(Rollout, rollout.c.id == table.c.rollout_id)
            .where(table.c.battle_id.in_(part))
            .order_by(table.c.letter)
        )
        for row in session.execute(query):
            found[row[0].battle_id].append(ArenaColumn(*row))
    return found


def _votes(session: Session, battle_ids: Iterable[int]) -> dict[int, ArenaVote]:
    table = table_of(ArenaVote)
    found: dict[int, ArenaVote] = {}
    for part in slices(battle_ids):
        rows = session.execute(select(ArenaVote).where(table.c.battle_id.in_(part))).scalars()
        found.update((row.battle_id, row) for row in rows)
    return found
