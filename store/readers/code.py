"""Source files: the whole text, cut at its definitions later; the title is the file's name with its extension."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, decode, read_bytes


class CodeReader:
    kind = "code"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        text = clean(decode(read_bytes(path)))
        if not text:
            raise ReadError("empty")
        title = clean(path.name.encode(errors="backslashreplace").decode())
        yield ReadDocument([ReadChunk(text, title)], title, markup="code")
