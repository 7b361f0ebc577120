"""Quantities in a text: value, scale, unit, precision. Years, dates, citations, names and ordinals are none."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal

Kind = Literal["money", "percent", "bare"]

SCALES = {"thousand": 3, "k": 3, "million": 6, "mm": 6, "mn": 6, "mil": 6, "m": 6}
SCALES |= {"billion": 9, "bn": 9, "b": 9, "trillion": 12, "tn": 12, "t": 12}
CURRENCIES = {"$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "\N{EURO SIGN}": "EUR", "eur": "EUR"}
CURRENCIES |= {"euro": "EUR", "\N{POUND SIGN}": "GBP", "gbp": "GBP", "\N{YEN SIGN}": "JPY", "jpy": "JPY", "yen": "JPY"}
# fmt: off
_WORDS: tuple[str, ...] = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
_MONTH = (
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
# What holds digits and is no quantity. Blanked out, so that places in the text stay what they are.
_NO_QUANTITY = re.compile(
    rf"""\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]              # citations
    | {_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+(?:19|20)\d\d)?\b
    | \b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}(?:,?\s+(?:19|20)\d\d\b)?
    | \b\d{{1,4}}[/-]\d{{1,2}}[/-]\d{{1,4}}\b         # dates in digits
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ENTRY_NUMBER = re.compile(r"^\s*\(?\d{1,2}[.)]\s", re.MULTILINE)
_CURRENCY = r"(?:us\$|[$\u20ac\u00a3\u00a5]|\b(?:usd|eur|gbp|jpy)\b)"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_QUANTITY = re.compile(
    rf"""(?<![\w.,/])(?<![^\W\d]-)(?P<open>\()?\s*(?P<sign>[-+](?=\S))?(?P<currency>{_CURRENCY})?\s*(?P<inner>\()?
    (?P<sign2>(?<!\d)[-+])?(?P<number>{_NUMBER})(?P<power>e[+-]?\d{{1,2}}\b)?(?P<close>\))?
    (?:\s*(?P<scale>thousands?|millions?|billions?|trillions?|mil|bn|mn|mm|tn)\b|(?P<letter>[kmbt])\b
       |\s(?P<spaced>(?-i:[KMBT]))\b)?
    (?:\s*(?P<unit>%|per\s?cent\b|pct\b|percentage\s+points?\b|ppts?\b|pps?\b|basis\s+points?\b|bps\b)
       |\s*(?P<times>(?-i:x)\b|times\b|\u00d7)
       |\s*(?::|to\s|-to-)\s*(?P<ratio>1)(?![\w.,]*\d)
       |\s*(?P<money>usd|eur|gbp|jpy|(?:us\s+)?dollars?|euros?|yen|cents?)\b)?
    (?P<close2>\))?""",
    re.IGNORECASE | re.VERBOSE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_YEAR_IN_TEXT = re.compile(r"(?<!\d)(?:FY\s?|Q[1-4]\s?|H[12]\s?)*((?:19|20)\d\d)(?![\d.,]\d)", re.IGNORECASE)
_YEAR_AFTER = re.compile(r"\s*(?:\(|(?:in|for|during|at|as of)\s)[^\d.,;]{0,30}?((?:19|20)\d\d)\b", re.IGNORECASE)
_FALLS = re.compile(
    r"\b(?:decreas|declin|drop|fell|fall|down|lower|loss|lost|negative|minus|reduc|shr[iua]nk|contract)\w*",
    re.IGNORECASE,
)
_RISES = re.compile(
    r"\b(?:increas|ris(?:e|es|ing|en)\b|rose\b|gr[eo]w|gain|up\b|higher|improv|expand)\w*", re.IGNORECASE
)
_SCALE_STATED = re.compile(
    r"\b(?:in|usd|\$)\s*(?:us\s?d?|usd|\$|dollars)?\s*\(?(thousand|million|billion)s?\b", re.IGNORECASE
)
_OR = re.compile(r"\s*(?:or|-|\N{EN DASH})\s*(?:about|perhaps|approximately|even|maybe)?\s*[$]?")
_AND, _TO = re.compile(r"\s*and\s*[$]?"), re.compile(r"\s*to\s*[$]?")
_REACH = 200  # characters before a quantity in which its year is looked for
_SENTENCE_END = re.compile(r"\n|(?<=[.!?])\s+(?=[A-Z*\"'(])")


@dataclass(frozen=True, slots=True)
class Quantity:
    """`value` as written, sign included; `power` of ten by a scale word, None: none was written.

    digits: decimals as written; padded: how many of them are closing zeros; falls: a word before it says decrease;
    sinks: it is the last word of direction there; either_sign: brackets, which stand for a minus or for an aside; year:
    the one it is said of; hedged: it is one end of a range or one of several alternatives.
    """

    value: Decimal
    kind: Kind
    power: int | None
    digits: int
    padded: int
    currency: str = ""
    falls: bool = False
    sinks: bool = False
    either_sign: bool = False
    year: int | None = None
    hedged: bool = False
    sentence: int = 0


def quantities(text: str) -> list[Quantity]:
    """In the order of the text."""
    plain = _plain(text)
    ends = [match.start() for match in _SENTENCE_END.finditer(plain)]
    matches = [match for match in _QUANTITY.finditer(plain) if _counts(match, plain)]
    hedged = _hedged(matches, plain)
    return [_quantity(match, plain, hedged=number in hedged, ends=ends) for number, match in enumerate(matches)]


def stated_scale(text: str) -> int | None:
    """The power of ten that "in USD millions" and its like ask for; None where none or more than one is named."""
    powers = {SCALES[match[1].lower()] for match in _SCALE_STATED.finditer(text)}
    return powers.pop() if len(powers) == 1 else None


def _plain(text: str) -> str:
    """The text with one kind of minus, small number words as digits, and no marks, nor digits that are no quantity."""
    text = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-").replace("\\", "")
    text = re.sub(r"[\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}]", "-", text)
    # The pattern of quantities tries every way to share out a run of spaces.
    text = re.sub(r"[^\S\n]+", " ", re.sub(r"\s*\n\s*", "\n", text))
    text = re.sub(r"[*`~]|\b(?:minus|negative)\s+(?=[$\d(])", lambda m: "-" if len(m[0]) > 1 else "", text, flags=re.I)
    text = _NO_QUANTITY.sub(_blanked, text)
    # One alone may be the answer: "36. It is computed from ..."
    text = _ENTRY_NUMBER.sub(_blanked, text) if len(_ENTRY_NUMBER.findall(text)) > 1 else text
    unit = r"(?:hundred|thousand|million|billion|percent|per cent|percentage|basis)"
    words = "|".join(_WORDS[1:])
    return re.sub(
        rf"\b(?:(?P<n>{words})(?=\s+{unit})|zero\b)", lambda m: str(_WORDS.index(m[0].lower())), text, flags=re.I
    )


def _blanked(match: re.Match[str]) -> str:
    return re.sub(r"\d", "_", match[0])


def _counts(match: re.Match[str], text: str) -> bool:
    """Not a year, nor part of a word or a name such as 10-K, 777X or 3M."""
    after = text[match.end() : match.end() + 2]
    if re.match(r"[^\W_]|_|-[A-Za-z]", after) and not match["unit"]:
        return False
    marked = match["currency"] or match["money"] or match["unit"] or match["scale"] or match["spaced"] or match["times"]
    if match["letter"] and not match["currency"]:
        return len(match["number"]) > 1
    return bool(marked or match["ratio"]) or not _YEAR.fullmatch(match["number"])


def _quantity(match: re.Match[str], text: str, *, hedged: bool, ends: list[int]) -> Quantity:
    unit = re.sub(r"\s+", " ", (match["unit"] or "").lower())
    money = (match["money"] or "").lower().removeprefix("us ").rstrip("s")
    value = Decimal(match["number"].replace(",", "") + (match["power"] or ""))
    if unit.startswith(("basis", "bps")) or money == "cent":
        value = value.scaleb(-2)
    minus = "-" in (match["sign"], match["sign2"])
    brackets = bool(match["open"] or match["inner"]) and bool(match["close"] or match["close2"])
    start = match.start("number")
    sentence = bisect_right(ends, start)
    begin = max(ends[sentence - 1] if sentence else 0, start - _REACH)
    scale = (match["scale"] or match["letter"] or match["spaced"] or "").lower()
    decimals = match["number"].partition(".")[2]
    said = text[max(begin, start - 60) : start]
    fell, rose = _last(_FALLS, said), _last(_RISES, said)
    return Quantity(
        value=-value if minus else value,
        kind="percent" if unit else "money" if match["currency"] or money else "bare",
        power=SCALES[scale if scale in SCALES else scale.rstrip("s")] if scale else None,
        digits=max(0, -int(value.as_tuple().exponent)),
        padded=len(decimals) - len(decimals.rstrip("0")),
        currency=CURRENCIES.get((match["currency"] or money).lower(), "USD" if money == "cent" else ""),
        falls=fell >= 0,
        sinks=fell > rose,
        either_sign=brackets and not minus,
        year=_year(text, match, begin),
        hedged=hedged,
        sentence=sentence,
    )


def _last(words: re.Pattern[str], text: str) -> int:
    """Where the last of the words stands; -1: none does."""
    return max((match.start() for match in words.finditer(text)), default=-1)


def says_fall(text: str) -> bool:
    return _FALLS.search(text) is not None


def _year(text: str, match: re.Match[str], begin: int) -> int | None:
    """The year right after it ("in FY2021"), else the last one before it, no further back than `begin`."""
    after = _YEAR_AFTER.match(text, match.end())
    before = list(_YEAR_IN_TEXT.finditer(text, begin, match.start("number")))
    return int(after[1]) if after else int(before[-1][1]) if before else None


def _hedged(matches: list[re.Match[str]], text: str) -> set[int]:
    """Numbers of the quantities joined by "or", a dash, "between A and B" or "A to B"."""
    out: set[int] = set()
    for number, (left, right) in enumerate(pairwise(matches)):
        between = text[left.end() : right.start("number")].lower()
        before = text[max(0, left.start() - 12) : left.start("number")].lower()
        # "from A to B" and "by A to B" say a change, and so does "fell 4% to $9".
        ranged = not re.search(r"\b(?:from|by)\b", before) and bool(left["unit"]) <= bool(right["unit"])
        joined = _OR.fullmatch(between) or ("between" in before and _AND.fullmatch(between))
        if joined or (ranged and _TO.fullmatch(between)):
            out |= {number, number + 1}
    return out
