"""The scoreboard: what votes count, who stands where, and what it says of what it can't know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from karl.arena.board import MIDDLE, board
from karl.arena.tables import print_board
from karl.arena.voting import cast_vote
from store import queries
from store.errors import UsageError
from store.models import ArenaAnswer, ArenaBattle, ArenaSystem, Corpus
from store.queries import RolloutLinks
from store.session import Store
from store.types import Failure, FailureKind, RolloutStatus
from tests.store.records import a_rollout

FAILED = {"status": RolloutStatus.FAILED, "failure": Failure(FailureKind.ENGINE, "endpoint down"), "answer": ""}
UNFINISHED = {"status": RolloutStatus.UNFINISHED, "failure": Failure(FailureKind.BUDGET, "no room"), "answer": ""}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = Store.open(f"sqlite:///{tmp_path}/karl.db")
    with opened.session() as session:
        session.add(Corpus(name="notes", source="x"))
        session.add(Corpus(name="acme", source="y"))
    yield opened
    opened.close()


def battle(store: Store, systems: str, choice: str = "", *, corpus: str = "notes", **ends: dict[str, Any]) -> None:
    """One between systems of one letter each, shown in that order. `ends`: how those that gave no answer ended."""
    with store.session() as session:
        number = len(queries.arena_battles(session))
        answers = list[ArenaAnswer]()
        for letter, name in zip("ABCD", systems, strict=False):
            row = queries.arena_system(session, ArenaSystem(key=f"key-{name}", name=name))
            record = a_rollout(f"ask/{number}-{name}", **ends.get(name, {}))
            (rollout,) = queries.save_rollouts(session, [(record, RolloutLinks())])
            assert row.id is not None
            answers.append(ArenaAnswer(battle_id=0, letter=letter, system_id=row.id, rollout_id=rollout))
        corpus_id = queries.corpus_by_name(session, corpus).id
        assert corpus_id is not None
        row = ArenaBattle(key=f"b{number}", corpus_id=corpus_id, question="who?", blind=number % 2 == 0, seed=0)
        queries.save_arena_battle(session, row, answers)
    if choice:
        cast_vote(store, f"b{number}", choice)


def ratings(found: dict[str, Any]) -> dict[str, float]:
    return {one["system"]: one["rating"] for one in found["systems"]}


def test_an_empty_board_is_no_error(store: Store) -> None:
    found = board(store)
    assert (found["battles"], found["votes"]["total"], found["systems"], found["notes"]) == (0, 0, [], [])
    with pytest.raises(UsageError, match="no corpus"):
        board(store, corpus="other")


def test_votes_ties_and_all_bad_are_counted_apart(store: Store) -> None:
    for choice in ("A", "A", "A", "B", "tie", "none", "none", ""):
        battle(store, "xy", choice)
    found = board(store)
    assert found["battles"] == 8 and found["counted"] == 5 and found["blind_votes"] == 4
    assert found["votes"] == {"winner": 4, "tie": 1, "none": 2, "total": 7}
    first, second = found["systems"]
    assert (first["system"], first["votes"], first["share"]) == ("x", 5, 0.7)
    assert first["low"] < MIDDLE < first["rating"] < first["high"]
    assert first["rating"] + second["rating"] == pytest.approx(2 * MIDDLE)
    assert found["entered"]["x"] == {"battles": 8, "failed": 0, "unfinished": 0, "all_bad": 2}
    assert found["matrix"]["x"]["y"] == {"wins": 3, "ties": 1, "losses": 1, "rate": 0.7}
    assert found["notes"] == [] and found["groups"] == [{"systems": ["x", "y"], "finite": True}]


def test_all_bad_alone_rates_nobody(store: Store) -> None:
    battle(store, "xy", "none")
    found = board(store)
    assert ratings(found) == {"x": None, "y": None} and found["matrix"] == {}
    assert found["entered"]["y"]["all_bad"] == 1


def test_a_failed_environment_is_left_out_and_an_empty_budget_loses(store: Store) -> None:
    battle(store, "xyz", "A", y=FAILED, z=UNFINISHED)
    battle(store, "xy", "A", y=FAILED)
    found = board(store)
    assert list(found["matrix"]) == ["x", "z"] and found["matrix"]["x"]["z"]["wins"] == 1
    assert found["counted"] == 1 and found["votes"]["total"] == 2
    assert found["entered"]["y"] == {"battles": 2, "failed": 2, "unfinished": 0, "all_bad": 0}
    assert ratings(found)["y"] is None and ratings(found)["x"] > MIDDLE > ratings(found)["z"]


def test_a_tie_leaves_out_who_gave_no_answer(store: Store) -> None:
    battle(store, "xyz", "tie", z=UNFINISHED)
    found = board(store)
    assert found["matrix"]["x"]["y"]["ties"] == 1 and found["matrix"]["x"]["z"]["wins"] == 1
    assert found["matrix"]["z"]["y"]["losses"] == 1


def test_what_votes_cannot_tell_is_said(store: Store) -> None:
    battle(store, "xy", "A")
    for choice in ("A", "B"):
        battle(store, "vw", choice)
    found = board(store)
    assert [group["systems"] for group in found["groups"]] == [["v", "w"], ["x", "y"]]
    assert [group["finite"] for group in found["groups"]] == [True, False]
    apart, always, never = found["notes"]
    assert apart.endswith("v, w; x, y") and always.startswith("x was always preferred: votes alone put no limit")
    assert never.startswith("y was never preferred")
    battle(store, "wx", "tie")
    joined = board(store)
    assert len(joined["groups"]) == 1 and [note[:22] for note in joined["notes"]] == ["y was never preferred:"]


def test_one_that_only_beats_outsiders_is_told_even_if_it_lost_among_its_own(store: Store) -> None:
    for pair, choice in (("vw", "A"), ("vw", "B"), ("xy", "A"), ("xy", "B"), ("wx", "A")):
        battle(store, pair, choice)
    (note,) = board(store)["notes"]
    assert note.startswith("some of v, w, x, y never lost to the others: votes alone put no limit")


def test_one_corpus_alone(store: Store) -> None:
    battle(store, "xy", "A")
    battle(store, "xy", "B", corpus="acme")
    assert board(store)["systems"][0]["share"] == 0.5
    assert board(store, corpus="acme")["systems"][0]["system"] == "y"


def test_two_systems_of_one_name_are_told_apart(store: Store) -> None:
    battle(store, "xy", "A")
    with store.session() as session:
        for name in "xy":
            queries.arena_system(session, ArenaSystem(key=f"key-{name}", name=name)).name = "embedded"
    found = board(store)
    assert sorted(ratings(found)) == ["embedded #key-x", "embedded #key-y"]


@pytest.mark.parametrize("votes", [[("xy", "A"), ("yz", "A"), ("xz", "none")], [("xy", "none")], []])
def test_the_tables_print_whatever_there_is(
    store: Store, votes: Sequence[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for pair, choice in votes:
        battle(store, pair, choice)
    print_board(board(store), Console())
    said = capsys.readouterr().out
    noun = "battle, 1 vote:" if len(votes) == 1 else f"battles, {len(votes)} votes:"
    assert said.startswith(f"{len(votes)} {noun}")
    if len(votes) == 3:
        assert "(1) x" in said and "100% (1)" in said and "note: x was always preferred" in said
        assert said.index("\nx ") < said.index("\ny ") < said.index("\nz ")
