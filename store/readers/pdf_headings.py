"""Headings of a PDF page, told by their looks: a short line alone, bold, tall, centred or in capitals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from store.readers.pdf_lines import Line

TALLER = 1.15  # times the page's usual letter
LONGEST = 100  # characters
SHARE = 4  # a page where more than one line in this many looks like a heading has none
CENTRED = 0.03  # of the text's width, off its middle
INDENTED = 0.12  # of it, at least, on the left of a centred line
_WORDY = re.compile(r"[^\W\d_]{3,}")
_PAGE_NUMBER = re.compile(r"(?:page|seite|p\u00e1gina|pagina)\s*\d+(?:\s*(?:of|von|de|di|/)\s*\d+)?", re.IGNORECASE)
_GOES_ON = (".", ",", ";", ":", "-")


class _Usual(NamedTuple):
    """height: of the page's letters; left, right: edges of its text."""

    height: float
    left: float
    right: float


def marked_headings(lines: Sequence[Line]) -> list[Line]:
    """The lines, headings with `## ` before them as in Markdown."""
    usual = _Usual(
        median(line.height for line in lines),
        min(line.cells[0].x0 for line in lines),
        max(line.cells[-1].x1 for line in lines),
    )
    found = [_is_heading(line, usual) for line in lines]
    if SHARE * sum(found) > len(lines) + SHARE:
        return list(lines)
    return [_marked(line) if heading else line for line, heading in zip(lines, found, strict=True)]


def _is_heading(line: Line, usual: _Usual) -> bool:
    text = line.text
    alone = len(line.cells) == 1 and len(text) <= LONGEST
    if not alone or text.startswith("(") or text.endswith(_GOES_ON):
        return False
    if not _WORDY.search(text) or _PAGE_NUMBER.fullmatch(text):
        return False
    return line.strong or line.height >= TALLER * usual.height or text.isupper() or _centred(line, usual)


def _centred(line: Line, usual: _Usual) -> bool:
    width = usual.right - usual.left
    off = abs(line.cells[0].x0 + line.cells[0].x1 - usual.left - usual.right) / 2
    return off < CENTRED * width and line.cells[0].x0 - usual.left > INDENTED * width


def _marked(line: Line) -> Line:
    cell = line.cells[0]
    return line._replace(cells=(cell._replace(text=f"## {cell.text.lstrip('#').strip()}"),))
