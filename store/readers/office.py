"""Word, Excel and PowerPoint files (extra `office`): headings as in Markdown, `|` between cells, slides as pages.

Old binary formats (.doc, .xls, .ppt) are not read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from store.readers.base import LARGEST, ReadChunk, ReadDocument, ReadError, clean, read_bytes, title_of_path
from store.readers.properties import plain_properties

_KEPT = ("title", "author", "subject", "keywords", "created")


class OfficeReader:
    """chunks_of: the open file -> its texts, a page each where the format has pages."""

    many = False

    def __init__(self, kind: str, package: str, chunks_of: Callable[[Path, str], tuple[list[ReadChunk], Any]]) -> None:
        self.kind, self._package, self._chunks_of = kind, package, chunks_of

    def read(self, path: Path) -> Iterator[ReadDocument]:
        named = title_of_path(path)
        try:
            _check_package(path, self.kind)
            chunks, core = self._chunks_of(path, named)
        except ModuleNotFoundError as exc:
            raise ReadError(f'needs {self._package}: run `pip install "karl-agents[office]"`') from exc
        except ReadError:
            raise
        # What zip, XML and the three packages raise for broken bytes has no end: a dozen kinds in a thousand files.
        except Exception as exc:
            raise ReadError(f"corrupt or encrypted {self.kind} file: {type(exc).__name__}: {exc}") from exc
        if not chunks:
            raise ReadError("empty")
        given = {name: getattr(core, name, None) for name in _KEPT}
        title = " ".join(clean(str(given.pop("title") or "")).split()) or named
        chunks = [ReadChunk(chunk.text, title, page=chunk.page) for chunk in chunks]
        yield ReadDocument(chunks, title, properties=plain_properties(given), markup="markdown")


def _check_package(path: Path, kind: str) -> None:
    """Raises: ReadError for what is no zip of parts: broken, of an older format, encrypted, or huge once unpacked."""
    if not read_bytes(path):
        raise ReadError("empty")
    if not zipfile.is_zipfile(path):
        raise ReadError(f"corrupt or encrypted {kind} file: not a zip package")
    with zipfile.ZipFile(path) as package:
        if not {"[Content_Types].xml", "_rels/.rels"} <= set(package.namelist()):
            raise ReadError(f"corrupt {kind} file: it lacks its list of parts")
        unpacked = sum(part.file_size for part in package.infolist())
        if unpacked > LARGEST:
            raise ReadError(f"too large: {unpacked / 2**20:,.0f} MiB unpacked, of at most {LARGEST / 2**20:,.0f}")


def docx_chunks(path: Path, title: str) -> tuple[list[ReadChunk], Any]:
    document = import_module("docx").Document(str(path))
    blocks = [
        "\n".join(_row(cell.text for cell in row.cells) for row in block.rows)
        if hasattr(block, "rows")
        else _heading_mark(block.style.name if block.style else "") + block.text
        for block in document.iter_inner_content()
    ]
    text = clean("\n\n".join(block for block in blocks if block.strip()))
    return ([ReadChunk(text, title)] if text else []), document.core_properties


def _heading_mark(style: str | None) -> str:
    """`Heading 2` -> `## `; `Title` -> `# `."""
    if style == "Title":
        return "# "
    level = (style or "").removeprefix("Heading ")
    return "#" * min(int(level), 6) + " " if level.isdigit() else ""


def xlsx_chunks(path: Path, title: str) -> tuple[list[ReadChunk], Any]:
    """A sheet is a section: values as they were last computed, empty rows left out."""
    book = import_module("openpyxl").load_workbook(path, read_only=True, data_only=True)
    sheets = [f"# {sheet.title}\n\n{rows}" for sheet in book.worksheets if (rows := _sheet(sheet))]
    book.close()
    text = clean("\n\n".join(sheets))
    return ([ReadChunk(text, title)] if text else []), book.properties


def _sheet(sheet: Any) -> str:
    sheet.reset_dimensions()  # as written in the file they may be wrong: cells beyond them would not be read
    rows = (_row("" if value is None else str(value) for value in row) for row in sheet.iter_rows(values_only=True))
    return "\n".join(row for row in rows if row.strip(" |"))


def pptx_chunks(path: Path, title: str) -> tuple[list[ReadChunk], Any]:
    """A slide is a page, its notes below it."""
    shown = import_module("pptx").Presentation(str(path))
    texts = {number: clean("\n".join(_slide(slide))) for number, slide in enumerate(shown.slides, start=1)}
    return [ReadChunk(text, title, page=number) for number, text in texts.items() if text], shown.core_properties


def _slide(slide: Any) -> Iterator[str]:
    heading = slide.shapes.title
    for shape in _shapes(slide.shapes):
        if shape.has_table:
            yield from (_row(cell.text for cell in row.cells) for row in shape.table.rows)
        elif shape.has_text_frame:
            is_heading = heading is not None and shape.shape_id == heading.shape_id
            yield ("# " if is_heading else "") + shape.text_frame.text
    if slide.has_notes_slide:
        yield f"\n{slide.notes_slide.notes_text_frame.text}"


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """Those in groups, too, in the order of the slide."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _row(cells: Iterable[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in cells)
