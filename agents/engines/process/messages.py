"""What parent and child say to each other, pickled: they are one program, of one installation."""

from __future__ import annotations

from dataclasses import dataclass

from agents.engines.base import Delta, GenerateRequest, Generation


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model folder (or hub name), and how to compute it. max_rows: see `LocalEngine`."""

    path: str
    name: str
    device: str
    max_rows: int


@dataclass(frozen=True, slots=True)
class Load:
    call: int
    engine: int
    spec: ModelSpec


@dataclass(frozen=True, slots=True)
class Close:
    call: int
    engine: int


@dataclass(frozen=True, slots=True)
class Generate:
    call: int
    engine: int
    request: GenerateRequest
    streamed: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for `call` any more: there will be no answer to it."""

    call: int


@dataclass(frozen=True, slots=True)
class Release:
    engine: int
    session: str


Call = Load | Close | Generate
Message = Call | Cancel | Release


@dataclass(frozen=True, slots=True)
class Done:
    """Of Load and Close."""

    call: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The model cannot be used, for a reason that a person can mend."""

    call: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    call: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sampled:
    call: int
    generation: Generation


@dataclass(frozen=True, slots=True)
class Grew:
    """Of a streamed call; the delta with a finish reason is the last."""

    call: int
    delta: Delta


# A list of them goes over the wire: what became ready at the same time.
Reply = Done | Refused | Failed | Sampled | Grew
