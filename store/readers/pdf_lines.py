"""Lines of a PDF page with their cells: PDFium's order of characters, pieces of one row joined, wide gaps kept.

Places are as a reader sees them who turns the page until the line is upright: a wide table often stands on its side.
A cell is what a gap of more than a letter's height sets apart; words of running text stand closer than that.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from math import pi
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from store.readers.base import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

_WORD = re.compile(r"[^\s\x00]+")
_CURRENCY = re.compile(r"[$\u20ac\u00a3\u00a5(]+")  # alone in a cell it belongs to the number after it
_AMOUNT_END = re.compile(r"[\d)%\u2014\u2013]$")
_TAIL = re.compile(r"[)%]+")  # and these to the number before
_BOLD = re.compile(rb"bold|black|heavy", re.IGNORECASE)
NAME_BYTES = 128
HEADER = 8  # lines that a table's header may take
ASKEW = 0.1  # of a quarter turn
SHORT = 40  # characters of a cell: longer ones are text beside text


class Cell(NamedTuple):
    """x0, x1: its edges in points."""

    text: str
    x0: float
    x1: float


class Line(NamedTuple):
    """base, height: of its letters, in points; strong: bold from its first word to its last.

    turn: quarters that it stands turned by, clockwise.
    """

    cells: tuple[Cell, ...]
    base: float
    height: float
    strong: bool = False
    turn: int = 0

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)


class _Box(NamedTuple):
    x0: float
    x1: float
    base: float
    height: float


def page_lines(page: PdfTextPage) -> list[Line]:
    """In reading order. Raises: PdfiumError, UnicodeDecodeError for a page that PDFium cannot read."""
    text = page.get_text_range()
    # Beyond the basic plane a character is two units of text and one box: positions would not fit.
    boxed = len(text) == page.count_chars()
    lines: list[Line] = []
    start = 0
    for raw_line in text.splitlines(keepends=True):
        line = _line(page, raw_line, start=start) if boxed else _plain(raw_line)
        start += len(raw_line)
        if line is None:
            continue
        row = _row_of(lines, line) if boxed else None
        if row is None:
            lines.append(line)
        else:
            lines[row] = _joined(lines[row], line)
    return lines


def _plain(text: str) -> Line | None:
    words = clean(text)
    return Line((Cell(words, 0.0, 0.0),), 0.0, 0.0) if words else None


def _line(page: PdfTextPage, text: str, *, start: int) -> Line | None:
    words = [(word, at) for word, at in _words(text) if word]
    if not words:
        return None
    turn = _turn(page, start + words[0][1][0])
    spans = [(word, _box(page, start + at[0], turn), _box(page, start + at[1] - 1, turn)) for word, at in words]
    if turn == 2:  # PDFium goes through these from their end
        spans.sort(key=lambda span: span[1].x0)
    height = max(median(first.height for _, first, _ in spans), 0.1)
    cells: list[Cell] = []
    for word, first, last in spans:
        gap = first.x0 - cells[-1].x1 if cells else 0.0
        if cells and -height < gap <= height and not _starts_amount(word, after=cells[-1].text):
            cells[-1] = Cell(f"{cells[-1].text} {word}", cells[-1].x0, max(last.x1, first.x1))
        else:
            cells.append(Cell(word, first.x0, max(last.x1, first.x1)))
    strong = all(_is_bold(page, start + at) for _, (at, _) in (words[0], words[-1]))
    return Line(tuple(_units(cells)), spans[0][1].base, height, strong, turn)


def _starts_amount(word: str, *, after: str) -> bool:
    """`22.4 % $ 1,672` are two amounts, however close they stand."""
    return bool(_CURRENCY.fullmatch(word)) and bool(_AMOUNT_END.search(after))


def _words(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for found in _WORD.finditer(text):
        word = found[0]
        # Nearly all words are plain; cleaning each would be a third of the work.
        yield word if word.isascii() and word.isprintable() else clean(word), found.span()


def _turn(page: PdfTextPage, index: int) -> int:
    """Quarters that the letter is turned by, clockwise; 0 for what stands askew, as a watermark."""
    from pypdfium2 import raw

    quarters = raw.FPDFText_GetCharAngle(page, index) / (pi / 2)
    return round(quarters) % 4 if abs(quarters - round(quarters)) < ASKEW else 0


def _box(page: PdfTextPage, index: int, turn: int) -> _Box:
    """The letter's box as high as its font, so that an `a` is as high as an `l`; the page turned back."""
    from pypdfium2 import raw

    rect = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(page, index, ctypes.byref(rect))
    match turn:
        case 1:
            return _Box(-rect.top, -rect.bottom, rect.left, rect.right - rect.left)
        case 2:
            return _Box(-rect.right, -rect.left, -rect.top, rect.top - rect.bottom)
        case 3:
            return _Box(rect.bottom, rect.top, -rect.right, rect.right - rect.left)
        case _:
            return _Box(rect.left, rect.right, rect.bottom, rect.top - rect.bottom)


def _is_bold(page: PdfTextPage, index: int) -> bool:
    """By the font's name: the weight that PDFium works out from the font's stems is far off in many files."""
    from pypdfium2 import raw

    name, flags = ctypes.create_string_buffer(NAME_BYTES), ctypes.c_int()
    raw.FPDFText_GetFontInfo(page, index, name, NAME_BYTES, flags)
    return bool(_BOLD.search(name.value))


def _units(cells: list[Cell]) -> Iterator[Cell]:
    """`$` with the number after it, `)` and `%` with the one before."""
    held: Cell | None = None
    for cell in cells:
        if held is not None and (_CURRENCY.fullmatch(held.text) or _TAIL.fullmatch(cell.text)):
            glue = "" if _TAIL.fullmatch(cell.text) else " "
            held = Cell(f"{held.text}{glue}{cell.text}", held.x0, cell.x1)
            continue
        if held is not None:
            yield held
        held = cell
    if held is not None:
        yield held


def _row_of(lines: list[Line], line: Line) -> int | None:
    """The line that this one goes on: printed on the same base line, to its left.

    A header whose cells have several lines comes cell by cell: then that is some lines back, and both are short.
    """
    for back in range(1, min(HEADER, len(lines)) + 1):
        above = lines[-back]
        if above.turn != line.turn:
            return None
        close = abs(above.base - line.base) <= 0.3 * min(above.height, line.height)
        short = back == 1 or max(len(above.cells[-1].text), len(line.text)) <= SHORT
        if close and short and line.cells[0].x0 >= above.cells[-1].x1:
            return len(lines) - back
    return None


def _joined(above: Line, line: Line) -> Line:
    cells = tuple(_units([*above.cells, *line.cells]))
    return Line(cells, above.base, max(above.height, line.height), above.strong and line.strong, above.turn)
