"""Cut running text into windows of whole sentences."""

from __future__ import annotations

import re
from itertools import pairwise

# After an end mark (and closing quotes), before a capital, digit or opening quote.
_END = re.compile(r"(?<=[.!?])[\"'\u201d\u2019)\]]*\s+(?=[A-Z0-9\"'\u201c\u2018(\[])|\n+")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|No|Vol|Inc|Ltd|Co|e\.g|i\.e)\.$")
LONGEST_END = 12  # characters: of an abbreviation and what shows that it is not the end of a longer word


def sentences(text: str) -> list[str]:
    """In order; initials and common abbreviations end no sentence."""
    found: list[str] = []
    held: list[str] = []
    for piece in _pieces(text):
        held.append(piece)
        if not _ABBREVIATION.search(piece[-LONGEST_END:]):
            found.append(" ".join(held))
            held = []
    return [*found, " ".join(held)] if held else found


def _pieces(text: str) -> list[str]:
    ends = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    pieces = [text[start:end].strip() for start, end in pairwise(ends)]
    return [piece for piece in pieces if piece]


def sentence_windows(text: str, *, words: int, overlap: int = 0) -> list[str]:
    """Neighbouring sentences joined until the count is as near to `words` as it gets.

    overlap: a window starts with the last sentences of the one before that have this many words at most together.
    """
    windows: list[str] = []
    held: list[str] = []
    repeated = count = 0
    for sentence in sentences(text):
        length = len(sentence.split())
        if len(held) > repeated and abs(count + length - words) >= abs(count - words):
            windows.append(" ".join(held))
            held = _last(held, words=overlap)
            repeated, count = len(held), sum(len(one.split()) for one in held)
        held.append(sentence)
        count += length
    return [*windows, " ".join(held)] if held else windows


def _last(held: list[str], *, words: int) -> list[str]:
    kept: list[str] = []
    for sentence in reversed(held):
        words -= len(sentence.split())
        if words < 0:
            break
        kept.insert(0, sentence)
    return kept
