"""What one column of a battle tells: the events of `karl ask`, without a word on who it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from graphs.events import AttemptFinished, Event, Token, TurnStarted
from karl.api.results import Answer, Finished
from karl.asking import event_line

Kind = Literal["turn", "token", "line", "answer", "failed"]


@dataclass(frozen=True, slots=True)
class Cited:
    """A passage that an answer rests on."""

    key: str
    page: int | None
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """turn: the policy begins to speak; token: text it said; line: a thing that happened; answer, failed: the end."""

    kind: Kind
    text: str = ""
    explanation: str = ""
    confidence: float | None = None
    citations: tuple[Cited, ...] = ()
    searches: int = 0
    seconds: float = 0.0

    @property
    def last(self) -> bool:
        return self.kind in ("answer", "failed")

    def as_dict(self) -> dict[str, Any]:
        """Of what goes on, kind and text alone."""
        return asdict(self) if self.last else {"kind": self.kind, "text": self.text}


def tell(event: Event | Finished, *, blind: bool = False) -> Told | None:
    """None for what a reader need not see. Attempts tell their searches; their own words stay theirs.

    Blind, attempts are not counted out: they would name the graph that makes them.
    """
    match event:
        case AttemptFinished() if blind:
            return None
        case Finished(result=answer):
            return end_of(answer)
        case TurnStarted() if not _inner(event.rollout):
            return Told("turn")
        case Token(text=text) if not _inner(event.rollout):
            return Told("token", text)
    line = event_line(event)
    return Told("line", line) if line is not None else None


def end_of(answer: Answer) -> Told:
    """The last word of a column."""
    spent = {"searches": answer.usage.searches, "seconds": round(answer.timings.total, 2)}
    if answer.failure is not None:
        return Told("failed", answer.failure.reason, **spent)
    cited = tuple(Cited(c.key, c.page, c.title, c.text) for c in answer.citations)
    return Told("answer", answer.answer, answer.explanation, answer.confidence, cited, **spent)


def _inner(rollout: str) -> bool:
    """Attempts speak under `<outer key>/<graph>-<index>`; the outer key of a question is `ask/<id>`."""
    return rollout.count("/") > 1


@dataclass
class Column:
    """What has been told so far, for whoever draws it. `speaking`: the turn under way."""

    letter: str
    label: str  # "" while it is blind
    lines: list[str] = field(default_factory=list)
    speaking: str = ""
    end: Told | None = None

    def hear(self, told: Told) -> None:
        match told.kind:
            case "turn":
                self.speaking = ""
            case "token":
                self.speaking += told.text
            case "line":
                self.lines.append(told.text)
            case "answer" | "failed":
                self.speaking, self.end = "", told

    @property
    def title(self) -> str:
        return f"{self.letter}: {self.label}" if self.label else self.letter
