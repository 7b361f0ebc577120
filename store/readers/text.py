"""Plain text: the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes, title_of_path
from store.readers.decoding import decode


class TextReader:
    kind = "text"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        decoded = decode(read_bytes(path))
        text = clean(decoded.text)
        if not text:
            raise ReadError("empty")
        title = title_of_path(path)
        yield ReadDocument([ReadChunk(text, title)], title, problems=decoded.problems)
