"""Long texts in short places: what is cut is told by an ellipsis."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def one_line(text: str, cells: int) -> str:
    """The text on one line of at most so many cells."""
    # More than is shown is not looked at: a tool's reply may be megabytes.
    flat = " ".join(text[: 4 * cells + 64].split())
    if cell_len(flat) <= cells:
        return flat
    return f"{set_cell_size(flat, max(0, cells - 1)).rstrip()}…"


def beginning(text: str, *, characters: int) -> str:
    """The text, cut where it is longer, with what is left out."""
    if len(text) <= characters:
        return text
    return f"{text[:characters].rstrip()}… ({len(text) - characters:,} more characters)"
