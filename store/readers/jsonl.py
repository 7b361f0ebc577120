"""JSONL: one document a line, {"text" or "contents", optional "id", "title"}. A bad line costs that line only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean
from store.readers.split import split_text

TEXT_KEYS = ("text", "contents")
ID_KEYS = ("id", "_id", "docid")


class JsonlReader:
    kind = "jsonl"
    many = True

    def read(self, path: Path, *, max_chars: int) -> Iterator[ReadDocument]:
        """Yields a document with an error for each bad line. Raises: ReadError for a file without any line."""
        seen: set[str] = set()
        empty = True
        for number, line in _lines(path):
            empty = False
            document = read_line(line, number=number, max_chars=max_chars)
            if document.part in seen:
                error = f"line {number}: the id {document.part!r} is there already"
                document = ReadDocument(chunks=[], part=_free(number, seen=seen), error=error, content=line)
            seen.add(document.part)
            yield document
        if empty:
            raise ReadError("empty")


def _free(number: int, *, seen: set[str]) -> str:
    """A part for the line that no id has taken."""
    part = line_part(number)
    while part in seen:
        part += "'"
    return part


def line_part(number: int) -> str:
    return f"line-{number}"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(1-based number, line) of the lines that are not blank."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.removeprefix(b"\xef\xbb\xbf").strip()
    except OSError as exc:
        raise ReadError(f"unreadable: {exc.strerror}") from exc


def read_line(line: bytes, *, number: int, max_chars: int) -> ReadDocument:
    """The line's document; its `part` is the id, or `line-<number>`."""
    try:
        part, title, text = parse_line(line)
    except (ValueError, RecursionError) as exc:
        return ReadDocument(chunks=[], part=line_part(number), error=f"line {number}: {exc}", content=line)
    chunks = [ReadChunk(piece, title=title) for piece in split_text(text, max_chars=max_chars)]
    return ReadDocument(chunks=chunks, title=title, part=part or line_part(number), content=line)


def parse_line(line: bytes) -> tuple[str, str, str]:
    """(id or "", title, text). Raises: ValueError saying what is wrong."""
    try:
        values = json.loads(line)
    except UnicodeDecodeError as exc:
        raise ValueError("not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON ({exc.msg} at column {exc.colno})") from exc
    if not isinstance(values, dict):
        raise ValueError("not an object")
    text = next((values[key] for key in TEXT_KEYS if key in values), None)
    if not isinstance(text, str):
        raise ValueError('no string under "text" or "contents"')
    text = clean(text)
    if not text:
        raise ValueError("empty text")
    part = next((str(values[key]) for key in ID_KEYS if values.get(key) not in (None, "")), "")
    return clean(part), clean(str(values.get("title") or "")), text
