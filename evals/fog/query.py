"""What a question asks of the facts, in a form that the solver can answer on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from evals.fog.settings import Regime
from evals.items import Nugget

Path = tuple[str, ...]
Operation = Literal["difference", "sum", "percentage", "count"]


class Lookup(NamedTuple):
    """The thing at the end of `path` from `start`: `Lookup("Oak", ("led_by",))` is who leads the Oak team."""

    start: str
    path: Path


@dataclass(frozen=True, slots=True)
class Condition:
    """At the end of `path` from the thing that is sought stands `value`. An empty path: the thing itself."""

    path: Path
    value: str | Lookup
    text: str
    """In words, as the question has it: `is based in Porto`."""


@dataclass(frozen=True, slots=True)
class Query:
    """Things that meet every condition; of each, what stands at the end of every path; last, a calculation with it."""

    conditions: tuple[Condition, ...]
    paths: tuple[Path, ...] = ()
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with the answer that was planted for it: it becomes an item if the solver finds exactly that."""

    regime: Regime
    question: str
    query: Query
    rows: Mapping[str, tuple[str, ...]]
    """Thing -> what the paths lead to, as planted."""
    reference: str
    nuggets: tuple[Nugget, ...]
    things: str
    """Plural noun of what is sought, for the proof."""
    number: Decimal | None = None
    """The result of the calculation, as planted, without its unit's scale: euros, not thousands of them."""
    near: tuple[str, ...] = ()
    """Planted near misses, each of which meets all conditions but one."""
