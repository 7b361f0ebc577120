"""Which passages a search may find, by what they and their documents say of themselves: `{year: 2018, path: "3M*"}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from store.types import Hit

Wanted = str | int | float | Sequence[str | int | float]
Where = Mapping[str, Wanted]
Accepts = Callable[[str], bool]
OF_CHUNKS = ("title", "page", "headings")  # of the passage itself; `path` and all else is its document's


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Every property as wanted: any of several values, texts in any case, * for anything. Equal ones hash alike.

    wanted: names in their order, each with its values in lower case.
    """

    wanted: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, where: Where | None) -> Self | None:
        """None where nothing is asked for."""
        if not where:
            return None
        return cls(tuple((name, _texts(values)) for name, values in sorted(where.items())))

    def tests(self) -> Iterator[tuple[str, Accepts]]:
        """Of each property: its name, and what tells whether a value, as `as_text` has it, is wanted."""
        for name, patterns in self.wanted:
            yield name, _any_of(patterns)

    def admits(self, hits: Sequence[Hit]) -> list[Hit]:
        """Those of the hits that are as wanted, in their order."""
        tests = list(self.tests())
        return [hit for hit in hits if all(accepts(as_text(_property(hit, name))) for name, accepts in tests)]


def as_text(value: object) -> str:
    """A value in lower case, 2018.0 as 2018; empty for one that is not there."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).casefold()


def headings_text(headings: Sequence[str]) -> str:
    return " > ".join(headings)


def _texts(values: Wanted) -> tuple[str, ...]:
    several = [values] if isinstance(values, str | int | float) else values
    return tuple(sorted({as_text(value) for value in several}))


def _any_of(patterns: Sequence[str]) -> Accepts:
    matchers = [re.compile(_expression(pattern), re.DOTALL).fullmatch for pattern in patterns]
    return lambda text: any(match(text) for match in matchers)


def _expression(pattern: str) -> str:
    """Only * is special: a path that is copied from a hit finds it, brackets and all."""
    return ".*".join(re.escape(part) for part in pattern.split("*"))


def _property(hit: Hit, name: str) -> object:
    own = {"path": hit.path, "title": hit.title, "page": hit.page, "headings": headings_text(hit.headings)}
    return own[name] if name in own else hit.metadata.get(name)
