"""Plain text: the whole file, or pieces cut at paragraphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, decode, read_bytes, title_of_path
from store.readers.split import split_text


class TextReader:
    kind = "text"
    many = False

    def read(self, path: Path, *, max_chars: int) -> Iterator[ReadDocument]:
        pieces = split_text(clean(decode(read_bytes(path))), max_chars=max_chars)
        if not pieces:
            raise ReadError("empty")
        title = title_of_path(path)
        yield ReadDocument(chunks=[ReadChunk(piece, title=title) for piece in pieces], title=title)
