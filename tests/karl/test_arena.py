"""Battles: who is asked, all at once, what each tells, what is stored, and what a vote may say."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from agents.engines.base import GenerateRequest
from graphs.events import AttemptFinished, SearchStarted, Token
from karl.api.graph import Graph
from karl.arena.battle import fight, make_battle
from karl.arena.match import load_all
from karl.arena.record import record_columns, record_json
from karl.arena.screen import clean, live_view, plain_lines
from karl.arena.spec import parse_system
from karl.arena.systems import System, find_systems
from karl.arena.telling import Told, tell
from karl.arena.voting import cast_vote, choices, failure_of
from karl.settings import load_settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import KarlError, UsageError
from store.models import Checkpoint
from store.types import Algorithm, VoteKind
from tests.harness_kit import scripted_policy, text_policy
from tests.karl.api_kit import TURNS, make_corpus, stored_rollouts
from tests.karl.arena_kit import COLD, HOT, WARM, Heard, ScriptedRing, a_battle, opened, systems


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


# -- names -----------------------------------------------------------------------------------------------------------


def test_a_name_says_checkpoint_graph_and_settings() -> None:
    spec = parse_system("acme-1/oapl-1:graph=aggregator:temperature=0.5:attempts=3")
    assert (spec.checkpoint, spec.graph, spec.temperature, spec.attempts) == ("acme-1/oapl-1", "aggregator", 0.5, 3)
    # Colons inside of names part nothing.
    assert parse_system("chat:model=llama3:8b:temperature=0").model == "llama3:8b"
    assert parse_system("c:/models/x").checkpoint == "c:/models/x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embedded:grph=x", "unknown key 'grph'; known keys: graph, .*did you mean 'graph'"),
        ("embedded:temperature=-1", "key 'temperature'.*greater than or equal to 0.*the form is CHECKPOINT"),
        ("embedded:temperature=nan", "key 'temperature'"),
        ("embedded:attempts=2:attempts=3", "key 'attempts' is there twice"),
        ("embedded:model=x", "write chat:model=x"),
        (":graph=solver", "key 'checkpoint'"),
        ("embeded", "no checkpoint and no folder 'embeded'; did you mean 'embedded'"),
        ("embedded:graph=slover", "did you mean 'solver'"),
        ("embedded:attempts=3", "no parallel node to run 3 times"),
        ("embedded:graph=qa_generator", "answers no questions"),
        ("embedded:task=freshstak", "did you mean 'freshstack'"),
        ("embedded:value=/nowhere", "no folder '/nowhere'"),
        ("chat", r"no table \[chat\]"),
        ("gone/oapl-1", "the folder of checkpoint 'gone/oapl-1' is gone"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_with_the_mend(home: Path, text: str, message: str) -> None:
    with opened(home) as store, store.session() as session:
        gone = Checkpoint(name="gone/oapl-1", algorithm=Algorithm.OAPL, path=str(home / "gone"))
        queries.save_checkpoint(session, gone)
    with pytest.raises(UsageError, match=message) as caught:
        systems(home, COLD, text)
    assert str(caught.value).startswith(f"system {text!r}: ")


def test_a_system_is_what_it_runs_and_not_how_it_is_called(home: Path) -> None:
    with opened(home) as store, store.session() as session:
        row = Checkpoint(name="acme-1/oapl-1", algorithm=Algorithm.OAPL, path=str(POLICY_FOLDER))
        queries.save_checkpoint(session, row)
    with pytest.raises(UsageError, match=r"acme-1/oapl-1': the same weights, graph and settings as 'embedded'"):
        systems(home, COLD, "acme-1/oapl-1")
    own, warm = systems(home, COLD, "acme-1/oapl-1:temperature=0.5")
    assert own.identity.weights_sha256 == warm.identity.weights_sha256 and own.identity.key != warm.identity.key
    shutil.copytree(POLICY_FOLDER, "copied")
    with pytest.raises(UsageError, match="'copied': the same weights"):
        systems(home, COLD, "copied")
    weights = Path("copied/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    first, changed = systems(home, COLD, "copied")
    assert first.identity.weights_sha256 != changed.identity.weights_sha256
    Path("brief.yaml").write_text("extends: solver\nsampling: {max_tokens: 9}\n")
    plain, brief = systems(home, COLD, "embedded:graph=brief.yaml")
    assert plain.identity.prompt_sha256 == brief.identity.prompt_sha256
    assert plain.identity.graph_sha256 != brief.identity.graph_sha256
    # What an aggregator's attempts run is part of it.
    three, four = systems(home, "embedded:graph=aggregator:attempts=3", "embedded:graph=aggregator:attempts=4")
    assert three.identity.key != four.identity.key and "attempts/solver" in three.identity.inner_sha256
    for count in ((COLD,), (COLD, *(f"embedded:temperature=0.{n}" for n in range(1, 9)))):
        with opened(home) as store, pytest.raises(UsageError, match=f"2 to 8 systems, got {len(count)}"):
            find_systems(count, store=store, settings=load_settings(home=home))


# -- battles ---------------------------------------------------------------------------------------------------------


async def fought(home: Path, ring: ScriptedRing, *labels: str, blind: bool = False) -> tuple[str, Heard]:
    battle = a_battle(home, *labels, blind=blind)
    heard = Heard(battle)
    with opened(home) as store:
        await fight(battle, ring, store, heard)
    await ring.aclose()
    return battle.key, heard


async def test_all_answer_at_once_and_tell_what_they_do(home: Path) -> None:
    both, waiting = asyncio.Event(), list[str]()

    def meeting(answer: str) -> object:
        async def respond(request: GenerateRequest) -> str:
            waiting.append(answer)
            if len(waiting) == 2:
                both.set()
            # Neither ends before the other has begun.
            async with asyncio.timeout(20):
                await both.wait()
            return f"<answer>{answer}</answer>"

        return respond

    played = {COLD: scripted_policy(meeting("Oslo")), HOT: scripted_policy(meeting("Lima"))}  # type: ignore[arg-type]
    key, heard = await fought(home, ScriptedRing(home, dict(played)))
    assert [told.text for told in sorted((told for _, told in heard.told if told.last), key=str)] == ["Lima", "Oslo"]
    assert [column.title for column in heard.columns.values()] == [f"A: {COLD}", f"B: {HOT}"]
    with opened(home) as store, store.session() as session:
        record = queries.arena_battle(session, key)
    assert [column.rollout.answer for column in record.columns if column.rollout] == ["Oslo", "Lima"]
    assert choices(record) == ["A", "B", "tie", "none"]


async def test_a_column_tells_searches_tokens_and_the_answer_with_its_passages(home: Path) -> None:
    ring = ScriptedRing(home, {COLD: text_policy(*TURNS), HOT: text_policy("<answer>Lima</answer>")})
    key, heard = await fought(home, ring)
    own = [told for letter, told in heard.told if letter == "A"]
    assert [told.kind for told in own] == [*["turn", "token", "line", "line"] * 2, "turn", "token", "answer"]
    assert [told.text for told in own if told.kind == "token"] == list(TURNS)
    assert heard.columns["A"].lines[0] == "search: mira" and heard.columns["A"].speaking == ""
    end = own[-1]
    assert (end.text, end.explanation, end.searches) == ("Oslo", "[2] falcon is there", 2)
    assert [cited.key for cited in end.citations] == ["teams/falcon.md#0"]
    # Read back later it is the same, but for the seconds' digits.
    settings = load_settings(home=home)
    with opened(home) as store, store.session() as session:
        record = queries.arena_battle(session, key)
    again = record_columns(record, settings=settings)[0].end
    assert again == end
    assert sorted(c.rollout.key for c in record.columns if c.rollout) == stored_rollouts(home)


def test_attempts_are_counted_out_in_the_open_alone() -> None:
    done = AttemptFinished("ask/1", "ask/1/solver-0", 1, 3, "Oslo")
    assert tell(done) == Told("line", "attempt 1 of 3: Oslo") and tell(done, blind=True) is None
    # An attempt's searches are told, its own words are not.
    assert tell(SearchStarted("ask/1/solver-0", 1, "mira")) == Told("line", "search: mira")
    assert tell(Token("ask/1/solver-0", 1, "hm")) is None and tell(Token("ask/1", 1, "hm")) == Told("token", "hm")


async def test_one_that_fails_says_why_and_spoils_nothing(home: Path) -> None:
    played = {
        COLD: text_policy("<answer>Oslo</answer>"),
        WARM: KarlError("endpoint down: http://127.0.0.1:9"),
        HOT: scripted_policy(lambda request: "hm"),
        "embedded:temperature=2": ValueError("bad\x1b[31m weights"),
    }
    key, heard = await fought(home, ScriptedRing(home, dict(played)), *played)
    reasons = [column.end.text for column in heard.columns.values() if column.end and column.end.kind == "failed"]
    assert reasons[0] == "endpoint down: http://127.0.0.1:9" and "no answer after 6 turns" in reasons[1]
    assert reasons[2] == "ValueError: bad\x1b[31m weights"
    with opened(home) as store:
        with store.session() as session:
            record = queries.arena_battle(session, key)
        assert choices(record) == ["A", "none"]
        assert [failure_of(column)[:8] for column in record.columns] == ["", "endpoint", "no answe", "ValueErr"]
        for choice, message in (
            ("B", r"B gave no answer \(endpoint down.*vote A or none"),
            ("c", "C gave no answer"),
            ("tie", "no vote 'tie'"),
            ("E", "no vote 'e' on battle"),
            ("", "no vote ''"),
        ):
            with pytest.raises(UsageError, match=message):
                cast_vote(store, key, choice)
        assert cast_vote(store, key, "none").vote is not None


async def test_where_nobody_answered_there_is_nothing_to_vote_on(home: Path) -> None:
    down = KarlError("endpoint down")
    key, _ = await fought(home, ScriptedRing(home, {COLD: down, HOT: down}))
    with opened(home) as store, pytest.raises(UsageError, match="can't be voted on: no system answered"):
        cast_vote(store, key, "none")


async def test_blind_hides_who_is_who_until_the_vote(home: Path) -> None:
    played = {COLD: text_policy("<answer>Oslo</answer>"), HOT: text_policy("<answer>Lima</answer>")}
    key, heard = await fought(home, ScriptedRing(home, dict(played)), blind=True)
    assert [column.title for column in heard.columns.values()] == ["A", "B"]
    settings = load_settings(home=home)
    with opened(home) as store:
        with store.session() as session:
            record = queries.arena_battle(session, key)
        hidden = json.dumps(record_json(record, settings=settings))
        for tell_tale in ("embedded", "temperature", "karl-tiny", "sha256", "ask/"):
            assert tell_tale not in hidden
        voted = cast_vote(store, key, "b", note=" shorter ")
        assert voted.vote is not None and (voted.vote.kind, voted.vote.note) == (VoteKind.WINNER, "shorter")
        told = record_json(voted, settings=settings)
        assert sorted(column["system"] for column in told["columns"]) == [COLD, HOT]
        assert told["vote"] == {"choice": "B", "note": "shorter"} and told["choices"] == []
        answers = {column["system"]: column["text"] for column in told["columns"]}
        assert answers == {COLD: "Oslo", HOT: "Lima"}
        with pytest.raises(UsageError, match=r"has its vote: B\. After it the names are known"):
            cast_vote(store, key, "a")


def test_the_seed_shuffles_the_blind_order_and_no_other(home: Path) -> None:
    three = systems(home, COLD, WARM, HOT)

    def order(seed: int | None, *, blind: bool = True) -> tuple[str, ...]:
        battle = make_battle("who?", three, corpus="notes", blind=blind, seed=seed)
        return tuple(system.label for system in battle.systems)

    assert len({order(seed) for seed in range(30)}) == 6 and order(7) == order(7)
    assert {order(seed, blind=False) for seed in range(5)} == {(COLD, WARM, HOT)}
    # Left out, it is drawn: the same command must not always show the same system first.
    drawn = {make_battle("who?", three, corpus="notes", blind=True).seed for _ in range(4)}
    assert len(drawn) == 4
    with pytest.raises(UsageError, match="1 to 8000 characters, got 0"):
        make_battle("  ", three, corpus="notes", blind=True)


async def test_systems_are_loaded_in_an_order_that_tells_no_letter(home: Path) -> None:
    loaded: list[str] = []

    class Recording(ScriptedRing):
        async def _load(self, system: System, corpus: str) -> Graph:
            loaded.append(system.label)
            return await super()._load(system, corpus)

    battles = [a_battle(home, COLD, WARM, HOT, blind=True, seed=seed) for seed in range(4)]
    assert len({tuple(one.label for one in battle.systems) for battle in battles}) > 1
    for battle in battles:
        await load_all(Recording(home, dict.fromkeys((COLD, WARM, HOT), KarlError("down"))), battle.systems, "notes")
    assert loaded == 4 * sorted((COLD, WARM, HOT))


async def test_a_battle_that_is_left_leaves_no_battle(home: Path) -> None:
    begun = asyncio.Event()

    async def never(request: GenerateRequest) -> str:
        begun.set()
        await asyncio.sleep(3600)
        return ""

    ring = ScriptedRing(home, {COLD: scripted_policy(never), HOT: text_policy("<answer>Lima</answer>")})
    work = asyncio.create_task(fought(home, ring))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    with opened(home) as store, store.session() as session:
        assert queries.arena_battles(session) == []
    await ring.aclose()


# -- the screen ------------------------------------------------------------------------------------------------------


async def test_the_screen_shows_every_column_and_obeys_no_escape(home: Path) -> None:
    loud = "<answer>[bold]Oslo[/] \x1b[2J\x1b]0;gone\x07</answer>"
    _, heard = await fought(home, ScriptedRing(home, {COLD: text_policy(loud), HOT: text_policy(*TURNS)}))
    columns = list(heard.columns.values())
    page = Console(width=100, height=30, record=True, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
    page.print(live_view(columns, "who?", page))
    shown = page.export_text()
    assert "[bold]Oslo[/]" in shown and "search: falcon oslo" in shown and f"B: {HOT}" in shown
    assert "\x1b" not in shown and "\x07" not in shown
    lines = list(plain_lines(columns))
    assert lines[0] == f"A: {COLD}" and lines[1].startswith("  [bold]Oslo[/] \N{REPLACEMENT CHARACTER}[2J")
    assert clean("a\tb\nc\u202ed") == "a\tb\nc\N{REPLACEMENT CHARACTER}d"
