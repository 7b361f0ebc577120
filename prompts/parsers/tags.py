"""Parser `tags`: `<search>`, `<answer>` with `<confidence>`, `<summary>`, `<candidate>`. The last action counts.

Where that is a search, all searches of the turn are carried out, as calls in any other format are. A tag that is never
closed does not count behind another action that is closed: prose may mention a tag.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from prompts.output import Action, CandidateSet, FinalAnswer, OutputSpec, Parsed, Summary, ToolCalls
from prompts.parsers.candidates import candidates_in
from prompts.parsers.found import Found
from prompts.parsers.text import ATTRIBUTES, citations, clean, confidence, explanation, inner, without_citations

_TAG_OF: dict[Action, str] = {"search": "search", "answer": "answer", "summary": "summary"}


class _Said(NamedTuple):
    """An action as it was written."""

    opening: re.Match[str]
    content: str
    closed: bool

    @property
    def tag(self) -> str:
        return self.opening[1].lower()


def find_tags(text: str, spec: OutputSpec) -> Found | None:
    """The last action with something in it."""
    tags = tags_of(spec)
    names = tuple(tags)
    said = _meant([_said(text, match, names) for match in _openings(names).finditer(text)], spec)
    if not said:
        return None
    last = said[-1]
    action = tags[last.tag]
    if action == "search":
        searches = [one.content for one in said if tags[one.tag] == "search"]
        return Found(last.opening.start(), ToolCalls.search(*searches))
    return Found(last.opening.start(), _parsed(text, last.opening, last.content, action, spec))


def tags_of(spec: OutputSpec) -> dict[str, Action]:
    """Tag -> action of a prompt."""
    return {spec.candidate.container if action == "candidates" else _TAG_OF[action]: action for action in spec.actions}


def _parsed(
    text: str,
    opening: re.Match[str],
    content: str,
    action: Literal["answer", "summary", "candidates"],
    spec: OutputSpec,
) -> Parsed:
    match action:
        case "summary":
            return Summary(content)
        case "candidates":
            return CandidateSet(tuple(candidates_in(text, spec.candidate)))
        case "answer":
            return _final_answer(text, opening, content)


@lru_cache(maxsize=64)
def _openings(tags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"<({'|'.join(tags)}){ATTRIBUTES}>", re.IGNORECASE) if tags else re.compile(r"(?!)")


@lru_cache(maxsize=64)
def _end(tag: str, tags: tuple[str, ...]) -> re.Pattern[str]:
    # An unclosed tag ends where the next action begins.
    return re.compile(rf"(</{tag}\s*>)|<(?:{'|'.join(tags)}){ATTRIBUTES}>", re.IGNORECASE)


def _said(text: str, opening: re.Match[str], tags: tuple[str, ...]) -> _Said:
    end = _end(opening[1], tags).search(text, opening.end())
    content = clean(text[opening.end() : end.start() if end else len(text)])
    return _Said(opening, content, closed=bool(end and end[1]))


def _meant(said: list[_Said], spec: OutputSpec) -> list[_Said]:
    """Those with something in them, less other tags that are only mentioned after the last closed one.

    Candidates are told from a mention by what stands in them, and are often left open.
    """
    said = [one for one in said if one.content]
    last = max((index for index, one in enumerate(said) if one.closed), default=len(said) - 1)
    return said[: last + 1] + [one for one in said[last + 1 :] if one.tag in (said[last].tag, spec.candidate.container)]


def _final_answer(text: str, opening: re.Match[str], content: str) -> FinalAnswer:
    answer = clean(re.split(rf"<confidence{ATTRIBUTES}>", content, flags=re.IGNORECASE)[0])
    stated = [value for value in map(confidence, inner(text, "confidence")) if value is not None]
    return FinalAnswer(
        text=without_citations(answer) or answer,
        explanation=explanation(text[: opening.start()]),
        confidence=stated[-1] if stated else None,
        citations=citations(text),
    )
