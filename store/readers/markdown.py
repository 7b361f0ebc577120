"""Markdown: title from front matter or the first heading, the other values of front matter as properties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from store.chunking.split import sections
from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes, title_of_path
from store.readers.decoding import decode
from store.readers.properties import plain_properties

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


class MarkdownReader:
    kind = "markdown"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        decoded = decode(read_bytes(path))
        text = clean(decoded.text)
        values, body, problems = front_matter(text)
        if not body:
            raise ReadError("empty")
        first_heading = next((part.headings[-1] for part in sections(body) if part.headings), "")
        title = clean(str(values.get("title") or "")) or first_heading or title_of_path(path)
        properties = plain_properties(values)
        yield ReadDocument(
            [ReadChunk(body, title)],
            title,
            problems=[*decoded.problems, *problems],
            properties=properties,
            markup="markdown",
        )


def front_matter(text: str) -> tuple[dict[str, Any], str, list[str]]:
    """(values, body, problems). Front matter that is no YAML mapping stays in the body, and is a problem."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text, []
    try:
        values = yaml.safe_load(found[1])
    # Beside its own errors: a day that no month has, a number of 5,000 digits, brackets a thousand deep.
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        return {}, text, [f"front matter: unreadable YAML ({str(exc).splitlines()[0]}); kept as text"]
    if not isinstance(values, dict):
        return {}, text, []  # two rules with prose between them, not front matter
    return values, text[found.end() :].strip(), []
