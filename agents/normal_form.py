"""Normal forms of answers: what is compared when no model is asked whether two texts say the same."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_ARTICLES = frozenset({"a", "an", "the"})
# Decimal points and signs carry meaning in numbers; every other mark of punctuation is a space.
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PUNCTUATION = re.compile(r"(?<!\d)\.|\.(?!\d)|(?<=\w)-|-(?!\d)|[^\w\s.\-]|_")
_SEPARATORS = re.compile(r"\s*(?:,(?!\d{3}(?!\d))|;|\n|\band\b)\s*", re.IGNORECASE)
# In other scripts the marks tell letters apart.
_LATIN_MARKS = re.compile("(?<=[A-Za-z])[\N{COMBINING GRAVE ACCENT}-\N{COMBINING LATIN SMALL LETTER X}]+")
_BARE_POINT = re.compile(r"(?<![\w.])(-?)\.(?=\d)")
# At most as many digits as a Decimal computes without rounding.
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,9})?")
# fmt: off
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_SMALL)}
_SCALES = {"thousand": 3, "million": 6, "mn": 6, "billion": 9, "bn": 9, "trillion": 12, "percent": 0}


def normalise(text: str) -> str:
    """Case, accents' encodings, punctuation, articles and spacing removed."""
    plain = _PUNCTUATION.sub(" ", _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold()))
    return " ".join(word for word in plain.split() if word not in _ARTICLES)


def split_answer(answer: str) -> list[str]:
    """Items of a list answer in normal form, each once."""
    return list(dict.fromkeys(filter(None, (normalise(item) for item in _SEPARATORS.split(answer)))))


def without_accents(text: str) -> str:
    """Latin letters without their marks; letters of other scripts are left as they are, in decomposed form."""
    return _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text))


def canonical(answer: str) -> frozenset[str]:
    """What two answers to one question are compared by: their items in any order, without accents, numbers as digits.

    "Three, São Paulo" and "sao paulo and 3.0" are one answer; so are "$1.5 million" and "1,500,000". Looser than
    `normalise`, by which rewards are given. A text without any word stands for itself; empty only for a blank one.
    """
    plain = without_accents(answer.replace("\N{MINUS SIGN}", "-"))
    items = split_answer(_BARE_POINT.sub(r"\g<1>0.", plain))
    return frozenset(map(_with_digits, items)) or frozenset(plain.split())


def _with_digits(item: str) -> str:
    """Number words as digits, numbers without idle zeros, scale words multiplied out."""
    out: list[str] = []
    for word in item.split():
        if word in _SCALES and out and _NUMBER.fullmatch(out[-1]):
            out[-1] = _plain_number(Decimal(out[-1]).scaleb(_SCALES[word]))
        else:
            digits = _NUMBER_WORDS.get(word, word)
            out.append(_plain_number(Decimal(digits)) if _NUMBER.fullmatch(digits) else digits)
    return " ".join(out)


def _plain_number(number: Decimal) -> str:
    # Adding zero turns -0 into 0.
    return format(number.normalize() + 0, "f")
