"""What is searched of a chunk: passages short enough for the embedder, each under the chunk's title and headings."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from store.chunking.split import split_text
from store.vectors.base import IndexEntry

PASSAGE_CHARS = 1000  # about 230 word pieces of English: small embedders read 256
OPENING_CHARS = 250
_MARK = re.compile(r"^#{1,6} ")
# An amount with its signs; a year stays: it tells one statement from another.
_AMOUNT = re.compile(
    r"(?!(?:19|20)\d\d$)[$\u20ac\u00a3\u00a5(+\-\u2013\u2014]*\d[\d.,]*[)%]*|[$\u20ac\u00a3\u00a5|%()\-\u2013\u2014]+"
)


def passages(entry: IndexEntry) -> list[str]:
    """What BM25 sees, at least one; the title leads every passage: the pages of a filing rarely name the company."""
    lead = "\n".join(line for line in (entry.title, str(entry.metadata.get("headings", ""))) if line)
    pieces = split_text(plain_lines(entry.text), max_chars=PASSAGE_CHARS) or [""]
    return [f"{lead}\n{piece}".strip() for piece in pieces]


def embedded_passages(entry: IndexEntry) -> list[str]:
    """Those, and of a chunk that has several one more: how it opens says what it is, a balance sheet or a note."""
    found = passages(entry)
    return [*found, f"{entry.title}\n{opening(plain_lines(entry.text))}".strip()] if len(found) > 1 else found


def embedded_counts(passages_N: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many `embedded_passages` chunks with so many `passages` have."""
    return (passages_N + (passages_N > 1)).astype(np.int64)


def plain_lines(text: str) -> str:
    """Without the marks of headings and the blanks that align columns."""
    return "\n".join(" ".join(_MARK.sub("", line).split()) for line in text.splitlines())


def opening(text: str) -> str:
    """Its first words, amounts left out: in a vector that short they would drown the names of what they are of."""
    # Amounts are at most every second word of a table; further lines are not looked at.
    lines = text[: 4 * OPENING_CHARS].splitlines()
    return "\n".join(_row_words(line) for line in lines)[:OPENING_CHARS].rstrip()


def _row_words(line: str) -> str:
    found = line.split()
    kept = [word for word in found if not _AMOUNT.fullmatch(word)]
    amounts = len(found) - len(kept)
    is_row = amounts >= 2 and (3 * amounts >= len(found) or not {*found[-2:]} & {*kept})
    return " ".join(kept if is_row else found)
