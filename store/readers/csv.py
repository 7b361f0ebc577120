"""CSV and TSV: a line a row, each cell after its column's name, so that a row that is found alone can be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes, title_of_path
from store.readers.decoding import decode

SAMPLE = 64 * 2**10  # characters that show how cells are parted
DELIMITERS = ",;\t|"


class CsvReader:
    kind = "csv"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        """The first row names the columns. Raises: ReadError for a file without any other."""
        decoded = decode(read_bytes(path))
        title = title_of_path(path)
        lines, problems = _lines(decoded.text)
        if not lines:
            raise ReadError("no rows: the first names the columns" if decoded.text.strip() else "empty")
        text = clean("\n".join(lines))
        yield ReadDocument([ReadChunk(text, title)], title, problems=[*decoded.problems, *problems])


def _lines(text: str) -> tuple[list[str], list[str]]:
    """(a line a row, problems): a broken row costs itself."""
    names: list[str] | None = None
    lines: list[str] = []
    problems: list[str] = []
    for row in _rows(text):
        if isinstance(row, str):
            problems.append(row)
            continue
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        if names is None:
            names = cells
        else:
            lines.append(_line(names, cells))
    return lines, problems


def _rows(text: str) -> Iterator[list[str] | str]:
    """Of one that is broken what is wrong with it."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error as exc:
            yield f"line {rows.line_num}: {exc}"


def _line(names: Sequence[str], cells: Sequence[str]) -> str:
    """Empty cells are left out; cells beyond the last name have none."""
    named = [*names, *[""] * (len(cells) - len(names))]
    return " | ".join(f"{name}: {cell}" if name else cell for name, cell in zip(named, cells, strict=False) if cell)


def _delimiter(text: str) -> str:
    """The one that parts the first row into most cells, quotes observed; a comma where none does."""
    first = text[:SAMPLE].lstrip()
    counts = {sign: len(next(csv.reader(io.StringIO(first, newline=""), delimiter=sign), [])) for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: counts[sign])
