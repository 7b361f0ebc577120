"""Columns in the terminal: side by side while they are told, whole once they have ended, as plain lines when piped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from karl.arena.telling import Cited, Column, Told
from karl.control.safe_text import clean

NARROWEST = 34  # characters of a column that can still be read
LEAST_LINES = 4
FRAME = 4  # border and padding of a panel, across
CITED_CHARS = 160


def live_view(columns: Sequence[Column], question: str, console: Console) -> RenderableType:
    """All columns in one screen, each with what it told last."""
    rows = _rows(columns, console.width)
    lines = max(LEAST_LINES, (console.height - 3) // len(rows) - 2)
    grids = [_grid(row, console, lines=lines) for row in rows]
    return Group(Text(clean(question), style="bold", no_wrap=True, overflow="ellipsis"), *grids)


def whole_view(columns: Sequence[Column], console: Console) -> RenderableType:
    """All that the columns ended with."""
    return Group(*(_grid(row, console, lines=None) for row in _rows(columns, console.width)))


def plain_lines(columns: Sequence[Column]) -> Iterator[str]:
    """For pipes: one column after the other."""
    for column in columns:
        yield column.title
        for text, _ in _end(column.end) if column.end else []:
            yield from (f"  {line}" for line in clean(text).splitlines())


def _rows(columns: Sequence[Column], width: int) -> list[Sequence[Column]]:
    """As many side by side as can be read."""
    across = max(1, min(len(columns), width // NARROWEST))
    return [columns[start : start + across] for start in range(0, len(columns), across)]


def _grid(columns: Sequence[Column], console: Console, *, lines: int | None) -> Table:
    grid = Table.grid(expand=True)
    for _ in columns:
        grid.add_column(ratio=1)
    width = console.width // len(columns) - FRAME
    grid.add_row(*(_panel(column, console, width=width, lines=lines) for column in columns))
    return grid


def _panel(column: Column, console: Console, *, width: int, lines: int | None) -> Panel:
    text = _story(column) if lines is not None else _ended(column)
    if lines is not None:
        wrapped = text.wrap(console, max(width, 1))
        text = Text("\n").join(wrapped[-lines:])
    height = lines + 2 if lines is not None else None
    return Panel(text, title=Text(clean(column.title)), title_align="left", height=height, border_style=_border(column))


def _border(column: Column) -> str:
    if column.end is None:
        return "dim"
    return "red" if column.end.kind == "failed" else "green"


def _story(column: Column) -> Text:
    """All that a column has told, the newest last."""
    parts = [Text(clean(line), style="dim") for line in column.lines]
    if column.speaking:
        parts.append(Text(clean(column.speaking), style="italic"))
    return Text("\n").join([*parts, *_ended_parts(column)])


def _ended(column: Column) -> Text:
    return Text("\n").join(_ended_parts(column))


def _ended_parts(column: Column) -> list[Text]:
    return [Text(clean(text), style=style) for text, style in _end(column.end)] if column.end else []


def _end(end: Told) -> list[tuple[str, str]]:
    """Lines of an end, each with its style."""
    spent = f"({end.searches} search{'' if end.searches == 1 else 'es'}, {end.seconds:.1f} s)"
    if end.kind == "failed":
        return [(f"no answer: {end.text}", "red"), (spent, "dim")]
    explained = [(end.explanation, "")] if end.explanation else []
    return [(end.text, "bold"), *explained, *((_cited(one), "dim") for one in end.citations), (spent, "dim")]


def _cited(citation: Cited) -> str:
    page = f" p.{citation.page}" if citation.page else ""
    return f"[{citation.key}{page}] {' '.join(citation.text.split())[:CITED_CHARS]}"
