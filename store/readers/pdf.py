"""PDF: a page per chunk, in reading order. A broken page costs that page only; PDFium is not thread-safe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes, title_of_path

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_WORD = re.compile(r"[^\W\d_]{3,}")


class PdfReader:
    kind = "pdf"
    many = False

    def read(self, path: Path, *, max_chars: int) -> Iterator[ReadDocument]:
        """max_chars does not apply: evaluation sets name evidence by page."""
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


def pdf_title(pdf: PdfDocument, *, path: Path) -> str:
    """The file's name, and the document's own title after it where that is made of words (often it is a number)."""
    own = " ".join(clean(pdf.get_metadata_dict().get("Title", "")).split())
    named = title_of_path(path)
    wordy = len(_WORD.findall(own)) >= 2 and own.lower() != named.lower()
    return f"{named}: {own[:200]}" if wordy else named


def _document(pdf: PdfDocument, *, title: str) -> ReadDocument:
    """Chunks of the pages with text. Raises: ReadError if none has any."""
    chunks: list[ReadChunk] = []
    problems: list[str] = []
    for number in range(1, len(pdf) + 1):
        text, problem = page_text(pdf, number=number)
        if text:
            chunks.append(ReadChunk(text, title=title, page=number))
        if problem:
            problems.append(f"page {number}: {problem}")
    if not chunks:
        raise ReadError(f"empty: {len(pdf)} pages without text (scanned?); {len(problems)} broken")
    return ReadDocument(chunks=chunks, title=title, problems=problems)


def page_text(pdf: PdfDocument, *, number: int) -> tuple[str, str]:
    """(text, problem) of the 1-based page; one of them may be "". An empty page is no problem."""
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
