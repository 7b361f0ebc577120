"""What a reader is, and the text hygiene that all of them share."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

# Bump when a reader's output changes: documents are then read again although their files did not change.
READER_VERSION = 4

LARGEST = 512 * 2**20  # bytes of a file that is read whole; JSONL is read line by line

# C0 and C1 controls (tab and newline stay), zero-width and direction marks, lone surrogates, the Unicode
# non-characters that PDFs use for soft hyphens.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BLANK_LINES = re.compile(r"\n{3,}")


Markup = Literal["plain", "markdown", "code"]


@dataclass(frozen=True, slots=True)
class ReadChunk:
    """Cleaned text; page is 1-based, of formats with pages; headings stand above the text, outermost first."""

    text: str
    title: str = ""
    page: int | None = None
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """`part` tells several documents of one file apart ("" where the file is one document).

    A reader's chunks are the pages, or one whole text; `store.chunking` makes the corpus' chunks of them by `markup`.
    Either chunks, or an error that says why there are none; `problems` name what was left out of a readable document.
    `properties`: what the document says of itself.
    """

    chunks: list[ReadChunk]
    title: str = ""
    part: str = ""
    error: str | None = None
    problems: list[str] = field(default_factory=list)
    properties: Mapping[str, str | int] = field(default_factory=dict)
    markup: Markup = "plain"
    content: bytes | None = None  # what to hash where a file holds several documents; None: the file


class ReadError(Exception):
    """A file that cannot be read: unreadable, empty, corrupt, encrypted. The message is the reason."""


class Reader(Protocol):
    """kind names the format in the store; many: a file may hold several documents, each with its own `content`.

    read yields at least one document or raises ReadError.
    """

    kind: str
    many: bool

    def read(self, path: Path) -> Iterator[ReadDocument]: ...


def clean(text: str) -> str:
    """NFC, newlines as \\n, no control characters, no trailing blanks, at most one empty line in a row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    text = text.replace("\x0c", "\n").replace("\xa0", " ")
    text = _UNWANTED.sub("", unicodedata.normalize("NFC", text))
    return _BLANK_LINES.sub("\n\n", "\n".join([line.rstrip(" \t") for line in text.split("\n")])).strip()


def title_of_path(path: Path) -> str:
    """`3M_2018_10K.pdf` -> `3M 2018 10K`."""
    readable = os.fsencode(path.stem).decode("utf-8", errors="backslashreplace")
    return " ".join(re.split(r"[_\s]+", clean(readable))).strip()


def read_bytes(path: Path) -> bytes:
    """Raises: ReadError naming the system's reason, or that the file is too large to be read at once."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ReadError(
                f"too large: {size / 2**20:,.0f} MiB, of at most {LARGEST / 2**20:,.0f}; split it, or write it as JSONL"
            )
        return path.read_bytes()
    except OSError as exc:
        raise ReadError(f"unreadable: {exc.strerror}") from exc
