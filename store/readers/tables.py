"""Rows of cells as text with aligned columns: labels to the left, numbers to the right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from store.readers.pdf_lines import SHORT, Cell, Line

WIDEST_LABEL = 60  # characters a label is padded to
BETWEEN = 2  # lines without cells (a group's name, a second line of a label) that a table may have in a row
# An amount with its signs, or a dash or N/A in its place.
_NUMBER = re.compile(
    r"[$\u20ac\u00a3\u00a5 (+\-\u2013\u2014]*[\d.,]*\d[\d.,]*[)%a-z* ]{0,6}"
    r"|[$]? ?[\u2014\u2013-]+|N/?[AM]"
)


def laid_out(lines: Sequence[Line]) -> list[str]:
    """One text a line; tables have their columns aligned by blanks."""
    texts: list[str] = []
    at = 0
    while at < len(lines):
        end = _table_end(lines, at)
        if end > at:
            texts.extend(_aligned(lines[at:end]))
            at = end
        else:
            texts.append(lines[at].text)
            at += 1
    return texts


def is_row(line: Line) -> bool:
    return any(len(cell.text) <= SHORT for cell in line.cells[1:])


def _table_end(lines: Sequence[Line], start: int) -> int:
    """Where the table that starts here ends; `start` where there is none. It starts and ends with a row."""
    rows, end, between = 0, start, 0
    for at in range(start, len(lines)):
        if is_row(lines[at]):
            rows, end, between = rows + 1, at + 1, 0
        elif at == start or between == BETWEEN:
            break
        else:
            between += 1
    return end if rows >= 2 else start


def _aligned(lines: Sequence[Line]) -> list[str]:
    columns = _columns(lines)
    table = [_row(line, columns) if len(line.cells) > 1 else [line.text] for line in lines]
    widths = [max((len(row[n]) for row in table if len(row) > 1), default=0) for n in range(len(columns))]
    widths[0] = min(widths[0], WIDEST_LABEL)
    numeric = [_mostly_numbers([row[n] for row in table if len(row) > 1]) for n in range(len(columns))]
    return ["  ".join(_padded(row, widths, numeric)).rstrip() for row in table]


def _padded(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    if len(row) == 1:
        return list(row)
    return [
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(row, widths, numeric, strict=True)
    ]


def _mostly_numbers(texts: Sequence[str]) -> bool:
    found = [text for text in texts if text]
    return 2 * sum(bool(_NUMBER.fullmatch(text)) for text in found) > len(found)


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Spans of the columns from left to right: where the cells of rows overlap, headers over several left out."""
    cells = [cell for line in lines for cell in line.cells if len(line.cells) > 1]
    values = [cell for cell in cells if _NUMBER.fullmatch(cell.text)] or cells
    spans = _merged(values)
    left = [line.cells[0] for line in lines if len(line.cells) > 1 and not _NUMBER.fullmatch(line.cells[0].text)]
    labels = [cell for cell in left if not spans or cell.x0 < spans[0][0]]
    if labels and values is not cells:
        spans = [(min(cell.x0 for cell in labels), min(max(cell.x1 for cell in labels), spans[0][0])), *spans]
    return spans


def _merged(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for cell in sorted(cells, key=lambda cell: cell.x0):
        if spans and cell.x0 < spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], cell.x1)
        else:
            spans.append((cell.x0, cell.x1))
    return spans


def _row(line: Line, columns: Sequence[tuple[float, float]]) -> list[str]:
    """Each cell under the column that it overlaps most or is nearest to; none is lost, none overtakes another."""
    texts = [""] * len(columns)
    first = 0
    for cell in line.cells:
        at = min(range(first, len(columns)), key=lambda n: _distance(cell, columns[n]))
        texts[at] = f"{texts[at]} {cell.text}".strip()
        first = at
    return texts


def _distance(cell: Cell, span: tuple[float, float]) -> float:
    """Negative: by how much they overlap."""
    return max(cell.x0, span[0]) - min(cell.x1, span[1])
