"""PDF: its pages in reading order, headers and footers apart. A broken page costs that page only.

PDFium is not thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes
from store.readers.pdf_facts import page_headings, pdf_properties, pdf_title
from store.readers.pdf_headings import marked_headings
from store.readers.pdf_lines import Line, page_lines
from store.readers.running_lines import running_lines
from store.readers.tables import laid_out

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument


class PdfReader:
    kind = "pdf"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        from pypdfium2 import PdfDocument, PdfiumError

        data = read_bytes(path)
        if not data:
            raise ReadError("empty")
        try:
            pdf = PdfDocument(data)
        except PdfiumError as exc:
            raise ReadError(_reason(exc)) from exc
        with pdf:
            yield _document(pdf, title=pdf_title(pdf, path=path))


def _reason(error: Exception) -> str:
    return "encrypted PDF: remove the password first" if "password" in str(error).lower() else f"corrupt PDF: {error}"


def _document(pdf: PdfDocument, *, title: str) -> ReadDocument:
    """Chunks of the pages with text. Raises: ReadError if none has any."""
    pages: dict[int, list[Line]] = {}
    problems: list[str] = []
    for number in range(1, len(pdf) + 1):
        lines, problem = read_page(pdf, number=number)
        if lines:
            pages[number] = lines
        if problem:
            problems.append(f"page {number}: {problem}")
    if not pages:
        raise ReadError(f"empty: {len(pdf)} pages without text (scanned?); {len(problems)} broken")
    running = running_lines({number: [line.text for line in lines] for number, lines in pages.items()})
    headings = _outline(pdf, problems)
    chunks = [
        ReadChunk(lines_text(lines[running.kept[number]]), title, page=number, headings=headings.get(number, ()))
        for number, lines in pages.items()
    ]
    return ReadDocument(
        chunks, title, problems=problems, properties=pdf_properties(pdf, running=running.forms), markup="markdown"
    )


def _outline(pdf: PdfDocument, problems: list[str]) -> dict[int, tuple[str, ...]]:
    from pypdfium2 import PdfiumError

    try:
        return page_headings(pdf)
    except (PdfiumError, UnicodeDecodeError) as exc:
        problems.append(f"outline: {exc}")
        return {}


def page_text(pdf: PdfDocument, *, number: int) -> tuple[str, str]:
    """(PDFium's own text, problem) of the 1-based page: no layout, as data sets quote their evidence."""
    from pypdfium2 import PdfiumError

    try:
        page = pdf[number - 1]
        textpage = page.get_textpage()
        text = clean(textpage.get_text_bounded())
        textpage.close()
        page.close()
    except (PdfiumError, UnicodeDecodeError) as exc:
        return "", str(exc)
    return text, ""


def read_page(pdf: PdfDocument, *, number: int) -> tuple[list[Line], str]:
    """(lines, problem) of the 1-based page; one of them may be empty. An empty page is no problem."""
    from pypdfium2 import PdfiumError

    try:
        page = pdf[number - 1]
        textpage = page.get_textpage()
        lines = page_lines(textpage)
        textpage.close()
        page.close()
    except (PdfiumError, UnicodeDecodeError) as exc:
        return [], str(exc)
    return lines, ""


def lines_text(lines: Sequence[Line]) -> str:
    """Headings marked as in Markdown, tables with aligned columns."""
    return clean("\n".join(laid_out(marked_headings(lines)))) if lines else ""
