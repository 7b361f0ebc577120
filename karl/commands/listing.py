"""Lists of graphs and prompts: a broken file is a row that says what is wrong with it, and hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from karl.commands.common import console

if TYPE_CHECKING:
    from karl.catalog import Entry


def list_entries(entries: Iterable[Entry], describe: Callable[[Entry], dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an entry; `error` is None, or why it can't be read."""
    return [_row(entry, describe) for entry in entries]


def _row(entry: Entry, describe: Callable[[Entry], dict[str, Any]]) -> dict[str, Any]:
    from store.errors import UsageError

    place = {"path": str(entry.path), "origin": entry.origin, "shadows": [str(path) for path in entry.shadows]}
    head = {"name": entry.name, "variant": entry.variant}
    try:
        return {**head, **describe(entry), **place, "error": None}
    except UsageError as exc:
        return {**head, **place, "error": str(exc)}


def print_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """`columns`: heading -> key of the row. Piped, a row is a line."""
    from rich.markup import escape
    from rich.table import Table

    page = console()
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        cells = {key: _cell(key, row.get(key, "")) for key in columns.values()}
        if row["error"]:
            cells["description"] = row["error"]
        table.add_row(*(escape(cell) for cell in cells.values()), style="red" if row["error"] else None)
    page.print(table)


def _cell(key: str, value: Any) -> str:
    if key == "sha256":
        return value[:10]
    return ", ".join(value) if isinstance(value, list | dict) else str(value)
