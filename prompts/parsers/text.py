"""What every parser needs: reasoning blocks, fences, citations, confidences."""

from __future__ import annotations

import re

_CLOSED_REASONING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_REASONING_END = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL)
_REASONING_OPEN = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[\w-]*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_CITATION = re.compile(r"\[(\d+(?:\s*[,;]\s*\d+)*)\]")
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
    """Numbers cited as [n] or [n, m], in order of first mention."""
    numbers = (int(n) for match in _CITATION.finditer(text) for n in re.split(r"\s*[,;]\s*", match[1]))
    return tuple(dict.fromkeys(numbers))


def drop_citations(text: str) -> str:
    """Less its [n]."""
    return _CITATION.sub("", text).strip()


def without_citations(text: str) -> str:
    """Less its [n], and the space that one leaves before a full stop."""
    return re.sub(r"\s+([.,;:])", r"\1", drop_citations(text))


def inner(text: str, tag: str) -> list[str]:
    """Contents of every `tag` in `text`; an unclosed one ends at the next tag of any name."""
    return [clean(match[1]) for match in re.finditer(rf"<{tag}>(.*?)(?=</{tag}>|<[a-z]+>|\Z)", text, re.DOTALL)]


def confidence(text: str) -> float | None:
    """In [0, 1]. A number is in percent, unless it has decimals and is at most 1 (0.8), or a fraction (8/10)."""
    match = _CONFIDENCE.search(text)
    if match is None:
        return None
    value = float(match[1].replace(",", "."))
    if match[3]:
        return min(value / float(match[3]), 1.0) if float(match[3]) else None
    share = not match[2] and value <= 1 and not match[1].isdigit()
    return min(value if share else value / 100.0, 1.0)
