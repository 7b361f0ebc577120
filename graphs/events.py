"""What a rollout tells while it runs: frozen events, in the order of happening, for whoever listens.

`rollout` is the key of the rollout that speaks: attempts of a parallel node speak under keys of their own,
`<outer key>/<graph>-<index>`. `turn` counts the policy's turns from 1, compressions left out.
Cheap when nobody listens: every emitter asks `if rollout.emit` before it builds an event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store.types import Failure, Hit


@dataclass(frozen=True, slots=True)
class NodeEntered:
    """The rollout goes on in this node of its graph."""

    rollout: str
    node: str


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The policy is about to be sampled."""

    rollout: str
    turn: int


@dataclass(frozen=True, slots=True)
class Token:
    """Text that the turn grew by. Its pieces concatenate to the turn's text; one piece where the engine can't stream.

    Of turns that were chosen among several candidates, and of summaries, nothing is shown before they are whole.
    """

    rollout: str
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class SearchStarted:
    rollout: str
    turn: int
    query: str


@dataclass(frozen=True, slots=True)
class Hits:
    """A search's answer, best first, before a plugin or the prompt has shortened it. `seconds`: its wall time."""

    rollout: str
    turn: int
    query: str
    hits: tuple[Hit, ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolReplied:
    """Any tool's reply (the search's too) as the policy will read it; `error` where the call failed or was refused."""

    rollout: str
    turn: int
    tool: str
    reply: str
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Compressed:
    """The history gave way to a summary; tokens of the open segment before and after."""

    rollout: str
    turn: int
    summary: str
    tokens_before: int
    tokens_after: int


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """One of `total` rollouts of a parallel node is done, `finished` of them so far. `rollout` is the outer one."""

    rollout: str
    attempt: str
    finished: int
    total: int
    answer: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class AnswerGiven:
    """The rollout ended with an answer (a generator: with pairs, `answer` is then empty). `citations`: chunk ids."""

    rollout: str
    answer: str
    explanation: str = ""
    confidence: float | None = None
    citations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The rollout ended without an answer."""

    rollout: str
    failure: Failure


Event = (
    NodeEntered
    | TurnStarted
    | Token
    | SearchStarted
    | Hits
    | ToolReplied
    | Compressed
    | AttemptFinished
    | AnswerGiven
    | Failed
)
Emit = Callable[[Event], None]
