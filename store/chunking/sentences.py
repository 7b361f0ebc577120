"""Cut running text into windows of whole sentences, whether or not its script has capitals, blanks and full stops."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil

from store.scripts import END_MARKS, MARKS, UNSPACED

# After an end mark (and closing quotes) with a blank; or after one that needs none; or at a line's end.
_CLOSING = "\"'\u201d\u2019)\\]\u300d\u300f\uff09\u300b\u00bb"
_OPENING = "\"'\u201c\u2018([\u00ab\u00bf\u00a1"
_END = re.compile(rf"(?<=[.!?{END_MARKS}])[{_CLOSING}]*\s+(?=\S)|(?<=[{END_MARKS}])[{_CLOSING}]*(?=[^{END_MARKS}])|\n+")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|No|Vol|Inc|Ltd|Co|e\.g|i\.e)\.$")
LONGEST_END = 12  # characters: of an abbreviation and what shows that it is not the end of a longer word
HARD = 2  # times the words asked for: a longer sentence is a list, a table or a text without end marks, and is cut
# Two signs are a word; a full stop or comma between them is none.
_WORD = re.compile(rf"[{UNSPACED}][{MARKS}]*(?:[{UNSPACED}][{MARKS}]*)?|[^\s{UNSPACED}{END_MARKS}\u3001\uff0c]+")
_UNSPACED_END = re.compile(rf"[{UNSPACED}{END_MARKS}][{MARKS}]*[{_CLOSING}]*$")


def sentences(text: str) -> list[str]:
    """In order; initials and common abbreviations end no sentence."""
    found: list[str] = []
    held: list[str] = []
    for piece in _pieces(text):
        held.append(piece)
        if not _ABBREVIATION.search(piece[-LONGEST_END:]):
            found.append(_joined(held))
            held = []
    return [*found, _joined(held)] if held else found


def _pieces(text: str) -> Iterator[str]:
    for start, end in pairwise([0, *_ends(text), len(text)]):
        if piece := text[start:end].strip():
            yield piece


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        if "\n" in match[0] or text[match.start() - 1] in END_MARKS or _begins(text[match.end()]):
            yield match.end()


def _begins(sign: str) -> bool:
    """Whether a sentence can begin with it: a capital, a letter of a script that has none, a digit or a quote."""
    return sign.isdigit() or sign in _OPENING or (sign.isalpha() and not sign.islower())


def sentence_windows(text: str, *, words: int, overlap: int = 0) -> list[str]:
    """Neighbouring sentences joined until the count is as near to `words` as it gets.

    A sentence of more than twice as many words is cut. Of scripts without blanks two signs count as a word.
    overlap: a window starts with the last sentences of the one before that have this many words at most together.
    """
    windows: list[str] = []
    held: list[str] = []
    repeated = count = 0
    for sentence in _short(sentences(text), words=words):
        length = _length(sentence)
        if len(held) > repeated and abs(count + length - words) >= abs(count - words):
            windows.append(_joined(held))
            held = _last(held, words=overlap)
            repeated, count = len(held), sum(map(_length, held))
        held.append(sentence)
        count += length
    return [*windows, _joined(held)] if held else windows


def _length(sentence: str) -> int:
    return len(sentence.split()) if sentence.isascii() else sum(1 for _ in _WORD.finditer(sentence))


def _short(whole: Sequence[str], *, words: int) -> Iterator[str]:
    for sentence in whole:
        if _length(sentence) <= HARD * words:
            yield sentence
            continue
        starts = [match.start() for match in _WORD.finditer(sentence)]
        step = ceil(len(starts) / round(len(starts) / words))
        for start, end in pairwise([0, *starts[step::step], len(sentence)]):
            yield sentence[start:end].strip()


def _joined(held: Sequence[str]) -> str:
    return "".join(one if _UNSPACED_END.search(one) else f"{one} " for one in held).rstrip(" ")


def _last(held: list[str], *, words: int) -> list[str]:
    kept: list[str] = []
    for sentence in reversed(held):
        words -= _length(sentence)
        if words < 0:
            break
        kept.insert(0, sentence)
    return kept
