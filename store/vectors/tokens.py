"""Words for BM25: lower case, English stop words out, Snowball stems; numbers and codes searchable in their parts.

Scripts without blanks between words, and Hangul, give the pairs of their neighbouring signs, as Lucene's CJK analyser.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from operator import add
from typing import Any

from store.scripts import BEYOND, MARKS, UNSPACED, basic

# fmt: off
STOPWORDS = frozenset((  # Lucene's English list
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
))
# fmt: on
_NUMBER = r"\d+(?:[.,]\d+)+"
_PLAIN = re.compile(rf"{_NUMBER}|[^\W_]+")
# Texts without any of these take a quarter of the time; `re` is fast with one range beyond the basic plane, not many.
_OTHER = re.compile(rf"[{basic(MARKS)}{basic(UNSPACED)}{BEYOND}]")
_LETTER = rf"[^\W_{UNSPACED}]"
_WORD = re.compile(rf"{_NUMBER}|{_LETTER}+(?:[{MARKS}]+{_LETTER}*)*|(?:[{UNSPACED}][{MARKS}]*)+")
_SIGN = re.compile(rf"[{UNSPACED}][{MARKS}]*")
_PARTS = re.compile(rf"\d{{2,}}|[^\W\d_](?:[^\W\d_]|[{MARKS}])+")
_MARKED = re.compile(rf"[{MARKS}]")
_CACHE_WORDS = 200_000
_lock = threading.Lock()  # a Snowball stemmer is not safe across threads
_stems: dict[str, tuple[str, ...]] = {}


def tokens(text: str) -> list[str]:
    """Stems in the order of the text, stop words left out; `FY2018` gives `fy2018` and `fy`, `2018`."""
    text = unicodedata.normalize("NFKC", text).lower()
    found: list[str] = []
    for word in (_WORD if _OTHER.search(text) else _PLAIN).findall(text):
        known = _stems.get(word)
        found.extend(_learn(word) if known is None else known)
    return found


def _learn(word: str) -> tuple[str, ...]:
    if _SIGN.match(word):  # a sentence in one run: hardly ever the same again
        return _pairs(word)
    with _lock:
        if len(_stems) >= _CACHE_WORDS:
            _stems.clear()
        return _stems.setdefault(word, _analyse(word))


def _pairs(run: str) -> tuple[str, ...]:
    signs = _SIGN.findall(run)
    return tuple(map(add, signs, signs[1:])) if len(signs) > 1 else (run,)


def _analyse(word: str) -> tuple[str, ...]:
    if word in STOPWORDS:
        return ()
    if "." in word or "," in word:
        return (_number(word),)
    letters = word if word.isascii() else _MARKED.sub("", word)
    if letters.isalpha() or letters.isdigit():
        return (_stemmer().stemWord(word),)
    return (word, *_PARTS.findall(word))


def _number(word: str) -> str:
    """`1,577.00` -> `1577`: as a question would write it."""
    plain = word.replace(",", "")
    return plain.rstrip("0").rstrip(".") if plain.count(".") == 1 else plain


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
