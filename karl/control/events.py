"""What a process that answers tells an interface: frozen events, in the order of happening.

The events of the graph (graphs.events) come as they are, but for the last word of each rollout: `Answered` and `Failed`
say more. Each thing that is asked of the process ends with exactly one of LAST.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphs.events import AttemptFinished, Compressed, Hits, NodeEntered, SearchStarted, Token, ToolReplied, TurnStarted
from graphs.events import Event as GraphEvent
from karl.api.results import Answer, Citation, Timings, Usage
from karl.arena.telling import Cited, Told, tell
from store.types import Hit


@dataclass(frozen=True, slots=True)
class Loading:
    """What goes on before it can answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The models are in memory. models: their names, in the order in which the systems were asked for."""

    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A rollout that ended with an answer; `trace_id` is its key in the store."""

    question: str
    answer: str
    explanation: str
    confidence: float | None
    citations: tuple[Citation, ...]
    trace_id: str
    graph: str
    model: str
    usage: Usage
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """What was asked for did not come about. trace_id: of a rollout without an answer, "" where nothing is stored.

    gone: the process has ended; the next question starts another.
    """

    reason: str
    trace_id: str = ""
    searches: int = 0
    seconds: float = 0.0
    cancelled: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Spoke:
    """A column of a battle tells something."""

    letter: str
    told: Told


@dataclass(frozen=True, slots=True)
class Entrant:
    """A column of a battle. Blind and without a vote, system and trace_id are "", as for a column without a rollout."""

    letter: str
    system: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A battle as it is stored. choices: what can be voted now; vote: what was voted, or ""."""

    key: str
    entrants: tuple[Entrant, ...]
    choices: tuple[str, ...]
    vote: str
    note: str


Event = GraphEvent | Loading | Ready | Answered | Failed | Spoke | Compared
LAST = (Ready, Answered, Failed, Compared)

__all__ = [
    "LAST",
    "Answered",
    "AttemptFinished",
    "Citation",
    "Cited",
    "Compared",
    "Compressed",
    "Entrant",
    "Event",
    "Failed",
    "GraphEvent",
    "Hit",
    "Hits",
    "Loading",
    "NodeEntered",
    "Ready",
    "SearchStarted",
    "Spoke",
    "Timings",
    "Token",
    "Told",
    "ToolReplied",
    "TurnStarted",
    "Usage",
    "answer_event",
    "told",
]


def answer_event(answer: Answer) -> Answered | Failed:
    """How a rollout ended."""
    if answer.failure is not None:
        return Failed(answer.failure.reason, answer.trace_id, answer.usage.searches, answer.timings.total)
    return Answered(
        question=answer.question,
        answer=answer.answer,
        explanation=answer.explanation,
        confidence=answer.confidence,
        citations=answer.citations,
        trace_id=answer.trace_id,
        graph=answer.provenance.graph,
        model=answer.provenance.model,
        usage=answer.usage,
        timings=answer.timings,
    )


def told(event: Event) -> Told | None:
    """The event as the column of a battle would tell it; None for what a reader need not see."""
    match event:
        case Spoke(told=said):
            return said
        case Loading() | Ready() | Compared():
            return None
        case Failed(reason=reason, searches=searches, seconds=seconds):
            return Told("failed", reason, searches=searches, seconds=seconds)
        case Answered(answer=text, explanation=explanation, confidence=confidence):
            cited = tuple(Cited(c.key, c.page, c.title, c.text) for c in event.citations)
            searches, seconds = event.usage.searches, event.timings.total
            return Told("answer", text, explanation, confidence, cited, searches, seconds)
    return tell(event)
