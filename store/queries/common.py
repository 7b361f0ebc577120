"""What the query files share: bulk inserts, lookups in slices below the databases' limit of bound values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Table, insert, select
from sqlmodel import Session, SQLModel

T = TypeVar("T")
_NOT_TAKEN = re.compile("[\0\ud800-\udfff]")
SLICE = 500  # SQLite builds before 3.32 refuse more than 999 bound values


def slices(values: Iterable[T], *, size: int = SLICE) -> Iterator[list[T]]:
    """Consecutive lists of at most `size` values."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part


def alternatives(name: str, known: Sequence[str]) -> str:
    """What a message about an unknown `name` ends with: the closest ones, else all."""
    close = get_close_matches(name, known, n=3)
    if close:
        return f"did you mean {', '.join(map(repr, close))}?"
    return f"there are: {', '.join(known)}" if known else "there are: none yet"


def table_of(model: type[SQLModel]) -> Table:
    """The Core table behind a model."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


def bulk_insert(session: Session, model: type[SQLModel], *, rows: Sequence[Mapping[str, Any]]) -> None:
    """One executemany. Every row must name the same columns: model defaults are not applied."""
    if rows:
        session.connection().execute(insert(table_of(model)), list(rows))


def ids_by_key(session: Session, model: type[SQLModel], *, keys: Iterable[str]) -> dict[str, int]:
    """key -> id of those rows that exist."""
    table = table_of(model)
    found: dict[str, int] = {}
    for part in slices(keys):
        rows = session.connection().execute(select(table.c.key, table.c.id).where(table.c.key.in_(part)))
        found.update((row.key, row.id) for row in rows)
    return found


def changed(session: Session, statement: Any) -> int:
    """Run an UPDATE or DELETE; returns how many rows it touched."""
    return cast(CursorResult[Any], session.connection().execute(statement)).rowcount


def storable(columns: dict[str, Any]) -> dict[str, Any]:
    """Texts as every database takes them: what a model or a tool writes may hold lone surrogates and nulls."""
    return {name: _taken(value) if isinstance(value, str) else value for name, value in columns.items()}


def _taken(text: str) -> str:
    # Most have none, and an enum has to stay one.
    return _NOT_TAKEN.sub("\N{REPLACEMENT CHARACTER}", text) if _NOT_TAKEN.search(text) else text
