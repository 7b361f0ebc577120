"""Titles, sentences and tables as lines of text of a given width. A table too wide for it goes on below itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

GAP = 2  # cells between two columns
FIRST = 0.5  # of the width, at most, for what names the rows


class Title(NamedTuple):
    text: str


class Words(NamedTuple):
    """A paragraph. warning: a reader of the figures has to know it."""

    text: str
    warning: bool = False


class Columns(NamedTuple):
    """The first column names the rows; the others are figures, to the right, but for those numbered in `words`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = ()


Part = Title | Words | Columns


def page(parts: Sequence[Part], *, width: int) -> Text:
    """No line is longer than `width` cells."""
    lines = [line for part in parts for line in _lines(part, width=max(1, width))]
    # A title has an empty line above it, but for the first.
    lines = lines[1:] if parts and isinstance(parts[0], Title) else lines
    return Text("\n", no_wrap=True).join(lines)


def cut(text: str, width: int) -> str:
    """One line of at most `width` cells; an ellipsis tells that there is more."""
    line = " ".join(text.split())
    if cell_len(line) <= width:
        return line
    return f"{chop_cells(line, width - 1)[0]}…" if width > 1 else "…"


def _lines(part: Part, *, width: int) -> Iterator[Text]:
    if isinstance(part, Title):
        yield Text()
        yield Text(cut(part.text, width), style="bold")
    elif isinstance(part, Words):
        sign, rest = ("! ", "  ") if part.warning else ("", "")
        for line in wrap(part.text, width, initial_indent=sign, subsequent_indent=rest) or [""]:
            # A wide character takes two cells.
            yield from map(Text, chop_cells(line, width) or [""])
    else:
        yield from _table(part, width=width)


def _table(table: Columns, *, width: int) -> Iterator[Text]:
    first = min(_widest(table, 0), max(8, int(width * FIRST)))
    for number, columns in enumerate(_slices(table, room=width - first)):
        if number:
            yield Text()
        yield _row(table, table.header, columns, first, width, style="bold")
        for row in table.rows:
            yield _row(table, row, columns, first, width)


def _slices(table: Columns, *, room: int) -> Iterator[list[int]]:
    """Numbers of the columns that fit beside the first one; each at least once, if it must be cut."""
    own: list[int] = []
    left = room
    for number in range(1, len(table.header)):
        need = _widest(table, number) + GAP
        if own and need > left:
            yield own
            own, left = [], room
        own.append(number)
        left -= need
    yield own


def _row(
    table: Columns, row: Sequence[str], columns: Sequence[int], first: int, width: int, *, style: str = ""
) -> Text:
    indent = " " * (len(row[0]) - len(row[0].lstrip()))
    text = set_cell_size(indent + cut(row[0], first - len(indent)), first)
    for number in columns:
        own = min(_widest(table, number), max(1, width - first - GAP))
        cell = _kept(row[number], own)
        space = " " * (own - cell_len(cell))
        text += " " * GAP + (cell + space if number in table.words else space + cell)
    text = text.rstrip()
    return Text(text if cell_len(text) <= width else set_cell_size(text, width), style=style)


def _kept(cell: str, width: int) -> str:
    """Bars end in spaces that keep numbers below each other."""
    return cell if cell_len(cell) <= width and "\n" not in cell else cut(cell, width)


def _widest(table: Columns, number: int) -> int:
    return max(cell_len(row[number]) for row in (table.header, *table.rows))
