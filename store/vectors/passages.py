"""What is embedded of a chunk: passages short enough for the model, each under the chunk's title."""

from __future__ import annotations

from store.readers.split import split_text
from store.vectors.base import IndexEntry

PASSAGE_CHARS = 1000  # about 230 word pieces of English: small embedders read 256


def passages(entry: IndexEntry) -> list[str]:
    """At least one; the title leads every passage, since the pages of a filing rarely name the company."""
    pieces = split_text(entry.text, max_chars=PASSAGE_CHARS) or [""]
    return [f"{entry.title}\n{piece}".strip() for piece in pieces]


def lexical_text(entry: IndexEntry) -> str:
    """What BM25 sees."""
    return f"{entry.title}\n{entry.text}"
