"""What a report is made of, before it is Markdown or HTML: headings, sentences, tables, figures. All text is plain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str


Cell = str | Link | Code


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`warning`: a reader of the figures has to know it."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names the row; the others are figures, aligned right, unless `words` says otherwise."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """`svg` stands inline in HTML; where no picture can be, and beside it, `table` says the same."""

    title: str
    description: str
    svg: str
    table: Table


Block = Heading | Paragraph | Bullets | Table | Figure


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], *, words: bool = False) -> Table:
    """Raises: ValueError for a row of another length."""
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{caption}: {len(row)} cells under {len(header)} headings")
    return Table(caption, tuple(header), tuple(map(tuple, rows)), words)
