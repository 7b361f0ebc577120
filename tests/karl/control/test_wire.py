"""What goes between an interface and the process that answers: everything comes out as it went in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphs.events import AttemptFinished, Hits, Token
from karl.arena.telling import Cited, Told
from karl.control.events import Answered, Citation, Compared, Entrant, Event, Failed, Spoke, Timings, Usage, told
from karl.control.requests import Open
from karl.control.wire import EVENTS, REQUESTS, Wire
from karl.settings import Settings
from store.errors import KarlError
from store.types import Failure, FailureKind
from tests.harness_kit import hit

ANSWERED = Answered(
    question="Where?",
    answer="Oslo\nor \x1b[1mnot",
    explanation="",
    confidence=0.5,
    citations=(Citation(7, "a/b.md#2", "B", 3, "Falcon works in Oslo.", "a/b.md"),),
    trace_id="ask/1",
    graph="solver",
    model="tiny",
    usage=Usage(10, 5, 0, 3, 2, 0),
    timings=Timings(1.5, 1.0, 0.25, 0.0, 0.0, 0.25),
)
SENT: list[Event] = [
    Token("ask/1", 1, "Øs"),
    Token("ask/1", 2, "half a sign: \ud83d"),
    Hits("ask/1", 1, "oslo", (hit(1, "a"), hit(2, "b")), 0.5),
    AttemptFinished("ask/1", "ask/1/solver-0", 1, 3, "", Failure(FailureKind.BUDGET, "no room")),
    ANSWERED,
    Failed("gone", trace_id="ask/2", searches=2, seconds=0.5, gone=True),
    Spoke("A", Told("answer", "Oslo", citations=(Cited("a#1", None, "A", "text"),))),
    Compared("ab12", (Entrant("A", "", ""), Entrant("B", "embedded", "ask/3")), ("A", "B", "tie", "none"), "", "why"),
]


@pytest.mark.parametrize("event", SENT, ids=lambda event: type(event).__name__)
def test_events_arrive_as_they_were_sent(event: Event) -> None:
    line = EVENTS.line(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert EVENTS.read(line) == event


def test_all_settings_are_handed_on(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "engine": "chat",
            "chat": {"base_url": "http://127.0.0.1:1/v1", "model": "m", "api_key": "secret"},
            "judge": {"base_url": "http://127.0.0.1:1/v1", "model": "j"},
            "routing": {"retries": 3},
            "telemetry": {"endpoint": "http://127.0.0.1:4318"},
            "prompt_path": [tmp_path],
            "engine_processes": 0,
        }
    )
    arrived = REQUESTS.read(REQUESTS.line(Open(settings)))
    assert arrived == Open(settings)


def test_a_kind_that_graphs_get_later_passes_through() -> None:
    @dataclass(frozen=True, slots=True)
    class NodeEntered:
        rollout: str
        node: str

    wire: Wire[object] = Wire(NodeEntered | Token)
    assert wire.read(wire.line(NodeEntered("r", "think"))) == NodeEntered("r", "think")


@pytest.mark.parametrize("line", [b"no JSON\n", b'["Nothing",{}]\n', b'["Token",{"turn":1}]\n', b"[]\n", b"3\n"])
def test_what_is_no_message_is_said(line: bytes) -> None:
    with pytest.raises(KarlError, match="no message"):
        EVENTS.read(line)


def test_a_conversation_is_told_as_a_column_of_a_battle_is() -> None:
    end = told(ANSWERED)
    assert end is not None
    assert (end.kind, end.text, end.searches, end.seconds) == ("answer", ANSWERED.answer, 2, 1.5)
    assert end.citations == (Cited("a/b.md#2", 3, "B", "Falcon works in Oslo."),)
    assert told(Failed("gone", searches=2)) == Told("failed", "gone", searches=2)
    assert told(Spoke("B", Told("turn"))) == Told("turn")
    assert told(Token("ask/1/solver-0", 1, "inner")) is None
    assert json.loads(EVENTS.line(Token("ask/1", 1, "x")))[0] == "Token"
