"""Source files: the whole text, cut at its definitions later; the title is the file's name with its extension."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes
from store.readers.decoding import decode


class CodeReader:
    kind = "code"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        decoded = decode(read_bytes(path))
        text = clean(decoded.text)
        if not text:
            raise ReadError("empty")
        title = clean(path.name.encode(errors="backslashreplace").decode())
        yield ReadDocument([ReadChunk(text, title)], title, problems=decoded.problems, markup="code")
