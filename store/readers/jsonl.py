"""JSONL: one document a line, {"text" or "contents", optional "id", "title"}; other plain values are
its properties. A bad line costs that line only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean
from store.readers.properties import plain_properties

TEXT_KEYS = ("text", "contents")
ID_KEYS = ("id", "_id", "docid")
LONGEST = 64 * 2**20  # bytes of a line; of a longer one no more is held at once
AT_ONCE = 2**20
BOM = b"\xef\xbb\xbf"
OWN_KEYS = frozenset({*TEXT_KEYS, *ID_KEYS, "metadata"})


class JsonlReader:
    kind = "jsonl"
    many = True

    def read(self, path: Path) -> Iterator[ReadDocument]:
        """Yields a document with an error for each bad line. Raises: ReadError for a file without any line."""
        seen: set[str] = set()
        empty = True
        for number, line, length in _lines(path):
            empty = False
            document = read_line(line, number=number) if length <= LONGEST else _too_long(line, length, number=number)
            if document.part == line_part(number):  # an id of another line may look so
                document = replace(document, part=_free(number, seen=seen))
            elif document.part in seen:
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


class _Raw(NamedTuple):
    """A line that is not blank, number 1-based. content: without blanks around it; of one too long its hash."""

    number: int
    content: bytes
    length: int


def _lines(path: Path) -> Iterator[_Raw]:
    try:
        with path.open("rb") as file:
            for number in count(1):
                line = file.readline(LONGEST + len(b"\r\n"))
                if not line:
                    return
                length = len(line.rstrip(b"\r\n"))
                if length > LONGEST:
                    yield _passed_over(file, line, number=number)
                elif line.strip():
                    yield _Raw(number, line.removeprefix(BOM).strip(), length)
    except OSError as exc:
        raise ReadError(f"unreadable: {exc.strerror}") from exc


def _passed_over(file: BinaryIO, piece: bytes, *, number: int) -> _Raw:
    """The line that begins with this piece is read to its end, not kept."""
    found, length = hashlib.sha256(), 0
    while piece:
        found.update(piece)
        length += len(piece.rstrip(b"\r\n"))
        piece = b"" if piece.endswith(b"\n") else file.readline(AT_ONCE)
    return _Raw(number, found.digest(), length)


def _too_long(digest: bytes, length: int, *, number: int) -> ReadDocument:
    error = (
        f"line {number}: too long: {length / 2**20:,.0f} MiB, of at most {LONGEST / 2**20:,.0f}; "
        "split its document into several lines"
    )
    return ReadDocument(chunks=[], part=line_part(number), error=error, content=digest)


class _Line(NamedTuple):
    """id: "" where there is none."""

    id: str
    title: str
    text: str
    properties: dict[str, str | int]


def read_line(line: bytes, *, number: int) -> ReadDocument:
    """The line's document; its `part` is the id, or `line-<number>`."""
    try:
        part, title, text, properties = parse_line(line)
    except (ValueError, RecursionError) as exc:
        return ReadDocument(chunks=[], part=line_part(number), error=f"line {number}: {exc}", content=line)
    return ReadDocument(
        [ReadChunk(text, title)], title, part=part or line_part(number), properties=properties, content=line
    )


def parse_line(line: bytes) -> _Line:
    """Raises: ValueError saying what is wrong."""
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
    nested = values.get("metadata")
    given = {**values, **nested} if isinstance(nested, dict) else values
    return _Line(clean(part), clean(str(values.get("title") or "")), text, plain_properties(given, without=OWN_KEYS))
