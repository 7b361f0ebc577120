"""Hits by what their documents say of themselves: `{year: 2018, path: "3M*"}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from store.types import Hit

Wanted = str | int | float | Sequence[str | int | float]
DEPTH = 1_000  # of the best hits a filter chooses from: what ranks below them is not found


def matching(hits: Sequence[Hit], wanted: Mapping[str, Wanted]) -> list[Hit]:
    """Those that have every property as wanted: any of several values, texts in any case, * for anything."""
    return [hit for hit in hits if all(_has(hit, name, value) for name, value in wanted.items())]


def _has(hit: Hit, name: str, wanted: Wanted) -> bool:
    held = str(_property(hit, name)).casefold()
    values = [wanted] if isinstance(wanted, str | int | float) else wanted
    return any(fnmatchcase(held, str(value).casefold()) for value in values)


def _property(hit: Hit, name: str) -> str | int:
    own: dict[str, str | int | None] = {
        "path": hit.path,
        "title": hit.title,
        "page": hit.page,
        "headings": " > ".join(hit.headings),
    }
    value = own[name] if name in own else hit.metadata.get(name)
    return "" if value is None else value
