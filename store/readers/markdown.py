"""Markdown: title from front matter or the first heading; short files whole, long ones cut at headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, decode, read_bytes, title_of_path
from store.readers.split import Section, merged, sections, split_text

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


class MarkdownReader:
    kind = "markdown"
    many = False

    def read(self, path: Path, *, max_chars: int) -> Iterator[ReadDocument]:
        text = clean(decode(read_bytes(path)))
        title, body, problems = front_matter(text)
        if not body:
            raise ReadError("empty")
        parts = sections(body)
        first_heading = next((part.headings[-1] for part in parts if part.headings), "")
        title = title or first_heading or title_of_path(path)
        yield ReadDocument(
            chunks=markdown_chunks(body, title=title, max_chars=max_chars), title=title, problems=problems
        )


def front_matter(text: str) -> tuple[str, str, list[str]]:
    """(title or "", body, problems). Front matter that is no YAML mapping stays in the body, and is a problem."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return "", text, []
    try:
        values = yaml.safe_load(found[1])
    except yaml.YAMLError as exc:
        return "", text, [f"front matter: unreadable YAML ({str(exc).splitlines()[0]}); kept as text"]
    if not isinstance(values, dict):
        return "", text, []  # two rules with prose between them, not front matter
    title = values.get("title")
    return clean(str(title)) if title else "", text[found.end() :].strip(), []


def markdown_chunks(body: str, *, title: str, max_chars: int) -> list[ReadChunk]:
    """One chunk if it fits; else sections, joined while they fit and split where they do not."""
    if len(body) <= max_chars:
        return [ReadChunk(body, title=title)]
    return [
        ReadChunk(piece, title=chunk_title(part, title=title))
        for part in merged(sections(body), max_chars=max_chars)
        for piece in split_text(part.text, max_chars=max_chars)
    ]


def chunk_title(part: Section, *, title: str) -> str:
    """`document > section > subsection`, the document's own heading not twice."""
    rest = part.headings[1:] if part.headings[:1] == (title,) else part.headings
    return " > ".join((title, *rest))
