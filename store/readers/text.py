"""Plain text: the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, decode, read_bytes, title_of_path


class TextReader:
    kind = "text"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        text = clean(decode(read_bytes(path)))
        if not text:
            raise ReadError("empty")
        title = title_of_path(path)
        yield ReadDocument([ReadChunk(text, title)], title)
