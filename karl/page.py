"""How wide a page is. A terminal says it; a pipe or a file has no edge, and a row that breaks there is no row."""

from __future__ import annotations

from rich.console import Console

PLAIN_WIDTH = 220


def roomy(console: Console) -> Console:
    """`console` itself on a terminal, else one of `PLAIN_WIDTH` columns to the same place."""
    return console if console.is_terminal else Console(file=console.file, width=PLAIN_WIDTH, highlight=False)
