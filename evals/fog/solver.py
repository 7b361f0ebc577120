"""Answers a query from the whole fact base. It knows nothing of how the facts were planted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evals.fog.facts import Fact
from evals.fog.query import Condition, Lookup, Operation, Path, Query

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SCALES = {"thousand": 1_000, "million": 1_000_000}


class Contradiction(Exception):
    """Two newest statements of one fact disagree."""


@dataclass(frozen=True, slots=True)
class Row:
    """A thing that meets the query, what its paths lead to, and the facts that say so."""

    subject: str
    values: tuple[str, ...]
    trail: tuple[Fact, ...]


class Solver:
    """Reads every fact once; the newest statement of a relation and subject counts."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._held: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in facts:
            self._held[fact.relation, fact.subject].append(fact)
        self._having: dict[str, list[str]] = defaultdict(list)
        for relation, subject in sorted(self._held):
            self._having[relation].append(subject)
        self._newest: dict[tuple[str, str], Fact] = {}

    def newest(self, relation: str, subject: str) -> Fact | None:
        """Raises: Contradiction."""
        known = self._newest.get((relation, subject))
        if known or not (held := self._held.get((relation, subject))):
            return known
        last = max(fact.date for fact in held)
        said = [fact for fact in held if fact.date == last]
        if len({fact.object for fact in said}) > 1:
            raise Contradiction(f"{relation} of {subject}: {', '.join(fact.object for fact in said)}")
        self._newest[relation, subject] = said[0]
        return said[0]

    def overruled(self, fact: Fact) -> list[Fact]:
        """Older statements that say otherwise."""
        held = self._held[fact.relation, fact.subject]
        return [other for other in held if other.date < fact.date and other.object != fact.object]

    def walk(self, start: str, path: Path) -> tuple[str | None, tuple[Fact, ...]]:
        """What stands at the end of the path, and the facts on the way."""
        at, trail = start, []
        for relation in path:
            fact = self.newest(relation, at)
            if fact is None:
                return None, ()
            trail.append(fact)
            at = fact.object
        return at, tuple(trail)

    def meets(self, subject: str, condition: Condition) -> tuple[bool, tuple[Fact, ...]]:
        found, trail = self.walk(subject, condition.path)
        wanted, further = condition.value, ()
        if isinstance(wanted, Lookup):
            wanted, further = self.walk(wanted.start, wanted.path)
        return found is not None and found == wanted, (*trail, *further)

    def failed(self, subject: str, query: Query) -> list[Condition]:
        """Conditions that the thing does not meet."""
        return [condition for condition in query.conditions if not self.meets(subject, condition)[0]]

    def rows(self, query: Query) -> list[Row]:
        """Every thing that can meet the first condition is tried. Raises: Contradiction."""
        tried = self._candidates(query.conditions[0])
        met = [s for s in tried if all(self.meets(s, condition)[0] for condition in query.conditions)]
        return [self._row(subject, query) for subject in met]

    def _candidates(self, condition: Condition) -> list[str]:
        """Everything of which the fact base holds the first relation; without one, the thing that is named."""
        if condition.path:
            return self._having[condition.path[0]]
        return [condition.value] if isinstance(condition.value, str) else []

    def _row(self, subject: str, query: Query) -> Row:
        trail = [fact for condition in query.conditions for fact in self.meets(subject, condition)[1]]
        values: list[str] = []
        for path in query.paths:
            value, facts = self.walk(subject, path)
            values.append(value or "")
            trail += facts
        return Row(subject, tuple(values), tuple(dict.fromkeys(trail)))

    def count(self, relation: str) -> int:
        """Things that have the relation."""
        return len(self._having[relation])

    def like(self, subject: str, relation: str) -> list[str]:
        """Lines of the subject's tables that share year and first words with this one: `Cash`, `Cash as budgeted`."""
        name, separator, year = relation.partition(" | ")
        relations = (held for held, having in self._having.items() if subject in having) if separator else ()
        found = (held.partition(" | ") for held in relations)
        return [f'"{other}"' for other, _, column in found if other.startswith(f"{name} ") and column == year]

    def explained(self, fact: Fact) -> list[Fact]:
        """The fact, and where its document uses another name, the one that says whose name that is."""
        alias = self.newest("alias", fact.subject) if fact.alias_used else None
        return [fact, alias] if alias else [fact]


def quantity(text: str) -> Decimal:
    """`12.3 million euros` -> 12300000; `May 2021` -> 2021."""
    number = _NUMBER.search(text)
    if number is None:
        raise Contradiction(f"{text!r} is no number")
    word = text[number.end() :].split()[:1]
    return Decimal(number[0]) * _SCALES.get(word[0] if word else "", 1)


def calculate(operation: Operation, rows: Sequence[Row]) -> Decimal:
    """Of the values of the one row; `count` is of rows. A percentage has one decimal, halves rounded up."""
    if operation == "count":
        return Decimal(len(rows))
    values = [quantity(value) for value in rows[0].values]
    if operation == "sum":
        return sum(values, Decimal(0))
    first, second = values
    if operation == "difference":
        return first - second
    return (100 * first / second).quantize(Decimal("0.1"), rounding="ROUND_HALF_UP")
