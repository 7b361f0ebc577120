"""The arena's rows: one row a system, a battle with its answers, at most one vote."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import Session

from store import queries
from store.errors import UsageError
from store.models import ArenaAnswer, ArenaBattle, ArenaSystem, ArenaVote, Corpus
from store.queries import RolloutLinks
from store.session import Store
from store.types import RolloutStatus, VoteKind
from tests.store.records import a_rollout
from tests.store.test_session import SECOND_SCHEMA_ROWS, upgraded


def a_battle(session: Session, *, key: str = "b1", corpus: str = "notes") -> None:
    """Two systems; the second one's endpoint was down."""
    row = Corpus(name=corpus, source="x")
    session.add(row)
    session.flush()
    assert row.id is not None
    one, two = (queries.arena_system(session, ArenaSystem(key=name, name=name)) for name in ("base", "tuned"))
    (rollout,) = queries.save_rollouts(session, [(a_rollout(f"ask/{key}"), RolloutLinks())])
    assert one.id is not None and two.id is not None
    answers = [
        ArenaAnswer(battle_id=0, letter="B", system_id=two.id, failure="endpoint down"),
        ArenaAnswer(battle_id=0, letter="A", system_id=one.id, rollout_id=rollout),
    ]
    battle = ArenaBattle(key=key, corpus_id=row.id, question="Who?", blind=True, seed=2**62)
    queries.save_arena_battle(session, battle, answers)


def test_a_battle_comes_back_by_letter_with_who_answered(store: Store) -> None:
    with store.session() as session:
        a_battle(session)
    with store.session() as session:
        found = queries.arena_battle(session, "b1")
        assert (found.battle.question, found.battle.seed, found.vote, found.winner) == ("Who?", 2**62, None, None)
        assert [(c.answer.letter, c.system.name, c.answered) for c in found.columns] == [
            ("A", "base", True),
            ("B", "tuned", False),
        ]
        first, second = found.columns
        assert first.rollout is not None and first.rollout.key == "ask/b1"
        assert second.status is RolloutStatus.FAILED and second.answer.failure == "endpoint down"


def test_one_vote_a_battle(store: Store) -> None:
    with store.session() as session:
        a_battle(session)
        found = queries.arena_battle(session, "b1")
        assert found.battle.id is not None
        first = found.columns[0]
        vote = ArenaVote(battle_id=found.battle.id, kind=VoteKind.WINNER, answer_id=first.answer.id, note="clear")
        queries.save_arena_vote(session, vote)
        assert queries.arena_battle(session, "b1").winner == first
    with pytest.raises(UsageError, match="has its vote already"), store.session() as session:
        queries.save_arena_vote(session, ArenaVote(battle_id=1, kind=VoteKind.TIE))
    with store.session() as session:
        vote_now = queries.arena_battle(session, "b1").vote
        assert vote_now is not None and (vote_now.kind, vote_now.note) == (VoteKind.WINNER, "clear")


def test_a_system_of_the_same_key_is_the_same_row(store: Store) -> None:
    with store.session() as session:
        first = queries.arena_system(session, ArenaSystem(key="k", name="by path"))
        again = queries.arena_system(session, ArenaSystem(key="k", name="by name"))
        assert (first.id, first.name) == (again.id, again.name) == (1, "by path")


def test_a_store_of_before_the_arena_is_upgraded_and_takes_battles(tmp_path: Path) -> None:
    store = upgraded(tmp_path, revision="0004", rows=SECOND_SCHEMA_ROWS)
    with store.session() as session:
        assert queries.arena_battles(session) == [] and queries.rollout_id_by_key(session, "old/1") == 1
        a_battle(session)
        assert [column.answered for column in queries.arena_battle(session, "b1").columns] == [True, False]
    store.close()


def test_battles_newest_first_of_one_corpus_or_all(store: Store) -> None:
    with store.session() as session:
        a_battle(session, key="b1", corpus="notes")
        a_battle(session, key="b2", corpus="acme")
        acme = queries.corpus_by_name(session, "acme").id
        assert [found.battle.key for found in queries.arena_battles(session)] == ["b2", "b1"]
        assert [found.battle.key for found in queries.arena_battles(session, corpus_id=acme)] == ["b2"]
        assert [found.battle.key for found in queries.arena_battles(session, limit=1)] == ["b2"]
        with pytest.raises(UsageError, match="no battle 'b9'; there are: b2, b1"):
            queries.arena_battle(session, "b9")
