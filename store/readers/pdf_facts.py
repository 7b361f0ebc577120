"""What a PDF says of itself: title, author, subject, dates, and its outline as headings of pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from store.readers.base import clean, title_of_path

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_WORD = re.compile(r"[^\W\d_]{3,}")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d{2})(\d{2})")
_FIELDS = {"Author": "author", "Subject": "subject", "Keywords": "keywords"}
LONGEST = 300  # characters of a property
DEEPEST = 4  # levels of the outline


def pdf_title(pdf: PdfDocument, *, path: Path) -> str:
    """The file's name, and the document's own title after it where that is made of words (often it is a number)."""
    own = _one_line(pdf.get_metadata_dict().get("Title", ""))
    named = title_of_path(path)
    wordy = len(_WORD.findall(own)) >= 2 and own.lower() != named.lower()
    return f"{named}: {own[:200]}" if wordy else named


def pdf_properties(pdf: PdfDocument, *, running: Sequence[str]) -> dict[str, str | int]:
    """running: headers and footers that its chunks go without."""
    given = pdf.get_metadata_dict()
    found: dict[str, str | int] = {
        name: text for key, name in _FIELDS.items() if (text := _one_line(given.get(key, ""))[:LONGEST])
    }
    created = _DATE.match(given.get("CreationDate", ""))
    if created:
        found["created"] = "-".join(created.groups())
    if running:
        found["running_lines"] = "; ".join(running)[:LONGEST]
    return {**found, "pages": len(pdf)}


def page_headings(pdf: PdfDocument) -> dict[int, tuple[str, ...]]:
    """1-based page -> its path in the outline: that of its first entry, else the one that goes on from before.

    Empty without an outline. Raises: PdfiumError for a broken one.
    """
    entries = sorted(_entries(pdf), key=lambda entry: entry[0])  # stable: the outline's order within a page
    found: dict[int, tuple[str, ...]] = {}
    path: tuple[str, ...] = ()
    at = 0
    for page in range(1, len(pdf) + 1 if entries else 1):
        own = [entry for entry in entries[at:] if entry[0] == page]
        for number, (_, level, title) in enumerate(own):
            path = (*path[:level], title)
            if number == 0:
                found[page] = path
        at += len(own)
        if path:
            found.setdefault(page, path)
    return found


def _entries(pdf: PdfDocument) -> list[tuple[int, int, str]]:
    """(1-based page, level, title)."""
    found: list[tuple[int, int, str]] = []
    for bookmark in pdf.get_toc(max_depth=DEEPEST):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = _one_line(bookmark.get_title())
        if index is not None and title:
            found.append((index + 1, bookmark.level, title))
    return found


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
