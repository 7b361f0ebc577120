"""What every parser needs: reasoning blocks, fences, citations, confidences."""

from __future__ import annotations

import re

_CLOSED_REASONING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_REASONING_END = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL)
_REASONING_OPEN = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[\w-]*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_CITATION = re.compile(r"\[(\d+(?:\s*[-\u2013]\s*\d+)?(?:\s*[,;]\s*\d+(?:\s*[-\u2013]\s*\d+)?)*)\]")
_RANGE = re.compile(r"(\d+)\s*[-\u2013]\s*(\d+)|(\d+)")
_MOST_OF_A_RANGE = 50  # a longer one is no citation of passages, so only its ends are taken
# Of a tag, as HTML has them. Words without a value are prose: <search engine>.
ATTRIBUTES = r"(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s<>\"'=]+))*\s*"
_ACTION = re.compile(rf"<(answer|confidence|search|summary){ATTRIBUTES}>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_MARK = re.compile(rf"</?(?:answer|confidence|search|summary|think(?:ing)?){ATTRIBUTES}>", re.IGNORECASE)
_OPEN_FENCE = re.compile(r"\s*```[\w-]*\s*\Z")
_CONFIDENCE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:(%|percent)|(?:/|out of|of)\s*(\d+(?:\.\d+)?))?", re.IGNORECASE)


def without_reasoning(text: str) -> str:
    """`text` less its <think> blocks; a chat template may have opened the first one in the prompt."""
    if "<think" not in text and "</think" not in text:
        return text
    return _REASONING_OPEN.sub("", _REASONING_END.sub("", _CLOSED_REASONING.sub("", text)))


def clean(text: str) -> str:
    """Without the fence around the whole of it, and without surrounding whitespace."""
    fenced = _FENCE.match(text)
    return (fenced[1] if fenced else text).strip()


def citations(text: str) -> tuple[int, ...]:
    """Numbers cited as [n], [n, m] or [n-m], in order of first mention."""
    cited = (n for match in _CITATION.finditer(text) for part in _RANGE.finditer(match[1]) for n in _numbers(part))
    return tuple(dict.fromkeys(cited))


def _numbers(part: re.Match[str]) -> tuple[int, ...]:
    if part[3]:
        return (int(part[3]),)
    first, last = int(part[1]), int(part[2])
    return tuple(range(first, last + 1)) if 0 <= last - first < _MOST_OF_A_RANGE else (first, last)


def explanation(before: str) -> str:
    """What stands before an answer, less earlier actions and the fence that opens around the answer."""
    if before.count("```") % 2:
        before = _OPEN_FENCE.sub("", before)
    return _MARK.sub("", _ACTION.sub("", before)).strip()


def drop_citations(text: str) -> str:
    """Less its [n]."""
    return _CITATION.sub("", text).strip()


def without_citations(text: str) -> str:
    """Less its [n], and the space that one leaves before a full stop."""
    return re.sub(r"\s+([.,;:])", r"\1", drop_citations(text))


def inner(text: str, tag: str) -> list[str]:
    """Contents of every `tag` in `text`; an unclosed one ends at the next tag of any name."""
    found = re.finditer(
        rf"<{tag}{ATTRIBUTES}>(.*?)(?=</{tag}\s*>|<[a-z]+{ATTRIBUTES}>|\Z)", text, re.DOTALL | re.IGNORECASE
    )
    return [clean(match[1]) for match in found]


def confidence(text: str) -> float | None:
    """In [0, 1]; None for what is beyond it.

    A number is in percent, unless it is a fraction (8/10) or, without a percent sign, at most 1: 0.8 is a share, and so
    is a bare 1, since models that write shares write it when they are certain. One in a hundred is written 1%.
    """
    match = _CONFIDENCE.search(text)
    if match is None:
        return None
    value = float(match[1].replace(",", "."))
    whole = float(match[3]) if match[3] else 1.0 if value <= 1 and not match[2] else 100.0
    return value / whole if 0 < whole >= value else None
