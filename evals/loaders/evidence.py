"""Find the page of a PDF that holds a passage of evidence. Published page numbers are hints: the text decides."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

FUZZY = 0.8  # share of the evidence's words on the page; other pages of one filing reach 0.6 to 0.75, rarely more
HINTED_FUZZY = 0.6  # where the published number names the page too, and no page has that much
HINT_COUNTS = 0.05  # between pages that are about as good, the published one
SPREAD = 0.9  # over two neighbouring pages together

_WORD = re.compile(r"[^\W\d_]+|\d+")
_BREAK = re.compile(r"[-\u00ad\u2010\u2011]\s*\n\s*")


class Match(StrEnum):
    """How the evidence was found, from sure to less sure."""

    EXACT = "exact"  # letter by letter but for white space, hyphenation and case
    PLAIN = "letters and digits"  # the same letters and digits in the same order
    FUZZY = "fuzzy"  # most of its words


class Found(NamedTuple):
    """`pages`: 1-based; two where the evidence runs over the foot of a page."""

    pages: tuple[int, ...]
    match: Match


def find_evidence(text: str, pages: Mapping[int, str], *, hint: int | None) -> Found | None:
    """The page that holds `text`, the hinted one before others that hold it too; None: no page does."""
    hinted = [page for page in pages if page == hint]
    others = [page for page in pages if page != hint]
    return (
        # No other page is read where the hinted one has it: a filing has hundreds.
        _verbatim(text, pages, order=hinted)
        or _verbatim(text, pages, order=others)
        or _over_two(text, pages)
        or _fuzzy(text, pages, hint=hint)
    )


def _forms(text: str) -> Iterator[tuple[Match, str]]:
    """What must be found, by how strict it is; nothing of a text without letters and digits."""
    if plain := _plain(text):
        yield Match.EXACT, _joined(text)
        yield Match.PLAIN, plain


def _verbatim(text: str, pages: Mapping[int, str], *, order: Sequence[int]) -> Found | None:
    for match, wanted in _forms(text):
        for page in order:
            if wanted in _FORMS[match](pages[page]):
                return Found((page,), match)
    return None


def _over_two(text: str, pages: Mapping[int, str]) -> Found | None:
    for match, wanted in _forms(text):
        form = _FORMS[match]
        for page in pages:
            if page + 1 in pages and wanted in form(pages[page]) + form(pages[page + 1]):
                return Found((page, page + 1), match)
    return None


def _joined(text: str) -> str:
    """Without white space, end-of-line hyphens and case; ligatures and full-width signs as plain ones."""
    text = unicodedata.normalize("NFKC", _BREAK.sub("", text))
    return "".join(text.split()).casefold()


def _plain(text: str) -> str:
    return "".join(_WORD.findall(_joined(text)))


_FORMS: dict[Match, Callable[[str], str]] = {Match.EXACT: _joined, Match.PLAIN: _plain}


def _fuzzy(text: str, pages: Mapping[int, str], *, hint: int | None) -> Found | None:
    wanted = _words(text)
    if not wanted:
        return None
    words = {page: _words(pages[page]) for page in pages}
    shares = {page: _share(wanted, held) for page, held in words.items()}
    best = max(shares, key=lambda page: shares[page] + HINT_COUNTS * (page == hint), default=None)
    if best is not None and shares[best] >= FUZZY:
        return Found((best,), Match.FUZZY)
    if hint is not None and shares.get(hint, 0.0) >= HINTED_FUZZY:
        return Found((hint,), Match.FUZZY)
    pairs = {page: _share(wanted, words[page] + words[page + 1]) for page in words if page + 1 in words}
    widest = max(pairs, key=lambda page: pairs[page], default=None)
    if widest is not None and pairs[widest] >= SPREAD:
        return Found((widest, widest + 1), Match.FUZZY)
    return None


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", _BREAK.sub("", text)).casefold()))


def _share(wanted: Counter[str], held: Counter[str]) -> float:
    return (wanted & held).total() / wanted.total()
