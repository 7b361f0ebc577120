"""Words for BM25: lower case, English stop words out, Snowball stems; numbers and codes searchable in their parts."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from typing import Any

# fmt: off
STOPWORDS = frozenset((  # Lucene's English list
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
))
# fmt: on
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+")
_PARTS = re.compile(r"\d{2,}|[^\W\d_]{2,}")
_CACHE_WORDS = 200_000
_lock = threading.Lock()  # a Snowball stemmer is not safe across threads
_stems: dict[str, tuple[str, ...]] = {}


def tokens(text: str) -> list[str]:
    """Stems in the order of the text, stop words left out; `FY2018` gives `fy2018` and `fy`, `2018`."""
    found: list[str] = []
    for word in _TOKEN.findall(unicodedata.normalize("NFKC", text).lower()):
        known = _stems.get(word)
        found.extend(_learn(word) if known is None else known)
    return found


def _learn(word: str) -> tuple[str, ...]:
    with _lock:
        if len(_stems) >= _CACHE_WORDS:
            _stems.clear()
        return _stems.setdefault(word, _analyse(word))


def _analyse(word: str) -> tuple[str, ...]:
    if word in STOPWORDS:
        return ()
    if word[0].isdigit() and not word.isalnum():
        return (_number(word),)
    if word.isalpha() or word.isdigit():
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
