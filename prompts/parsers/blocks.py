"""Parser `blocks`: lines "Explanation: ...", "Exact Answer: ...", "Confidence: 80%", as BrowseComp-Plus asks for.

Labels may be bold, headings, list items, or in another case; headings and bold lines need no colon. The last exact
answer counts.
"""

from __future__ import annotations

import re

from prompts.output import FinalAnswer
from prompts.parsers.found import Found
from prompts.parsers.text import citations, clean, confidence, explanation, without_citations

_LABEL = re.compile(
    r"^[ \t>]*(?:[-*+][ \t]+|\d+[.)][ \t]+|(?P<heading>#{1,6}[ \t]+))?(?P<bold>[*_]{2,3})?[*_]?"
    r"(?P<name>explanation|reasoning|exact[ \t]+answer|final[ \t]+answer|answer|confidence(?:[ \t]+(?:score|level))?)"
    r"[*_]{0,3}[ \t]*(?:(?P<colon>[:\uff1a])[*_]{0,3}[ \t]*|(?(heading)#*[ \t]*$|(?(bold)$|(?!))))",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(r"^#{1,6}[ \t]", re.MULTILINE)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb", "`": "`"}
_BOLD = re.compile(r"\A([*_]{1,3})(?=\S)(.*\S)\1\Z", re.DOTALL)


def find_blocks(text: str) -> Found | None:
    """The last labelled answer, with the explanation before it and the confidence after it."""
    labels = list(_LABEL.finditer(text))
    answers = [index for index, label in enumerate(labels) if _kind(label) == "answer" and _answer(text, labels, index)]
    if not answers:
        return None
    at = answers[-1]
    answer = _answer(text, labels, at)
    return Found(
        labels[at].start(),
        FinalAnswer(
            text=without_citations(answer) or answer,
            explanation=_explanation(text, labels, at),
            confidence=_confidence(text, labels, at),
            citations=citations(text),
        ),
    )


def has_blocks(text: str) -> bool:
    return any(_kind(label) == "answer" for label in _LABEL.finditer(text))


def _kind(label: re.Match[str]) -> str:
    name = label["name"].lower()
    return "answer" if "answer" in name else "confidence" if "confidence" in name else "explanation"


def _content(text: str, labels: list[re.Match[str]], index: int) -> str:
    end = labels[index + 1].start() if index + 1 < len(labels) else len(text)
    return text[labels[index].end() : end].strip()


def _answer(text: str, labels: list[re.Match[str]], index: int) -> str:
    content = _content(text, labels, index)
    if not labels[index]["colon"] and labels[index]["heading"]:
        return unquoted(_HEADING.split(content)[0])
    last = index + 1 == len(labels)
    # Nothing marks the end of the last block: prose after an empty line is no part of it.
    return unquoted(re.split(r"\n[ \t]*\n", content)[0] if last else content)


def _explanation(text: str, labels: list[re.Match[str]], at: int) -> str:
    stated = [index for index in range(at) if _kind(labels[index]) == "explanation"]
    return _content(text, labels, stated[-1]) if stated else explanation(text[: labels[at].start()])


def _confidence(text: str, labels: list[re.Match[str]], at: int) -> float | None:
    """The first one after the answer; else the last before it."""
    stated = [index for index, label in enumerate(labels) if _kind(label) == "confidence"]
    ordered = [index for index in stated if index > at] + [index for index in reversed(stated) if index < at]
    values = (confidence(_content(text, labels, index).split("\n")[0]) for index in ordered)
    return next((value for value in values if value is not None), None)


def unquoted(text: str) -> str:
    """Less the fence, the bold and the one pair of quotes around the whole of it."""
    text = clean(text)
    if bold := _BOLD.match(text):
        text = bold[2].strip()
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[-1] not in text[1:-1]:
        text = text[1:-1].strip()
    return text
