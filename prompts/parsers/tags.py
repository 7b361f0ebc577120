"""Parser `tags`: `<search>`, `<answer>` with `<confidence>`, `<summary>`, `<candidate>`. The last action counts.

Where that is a search, all searches of the turn are carried out, as calls in any other format are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from prompts.output import Action, CandidateSet, FinalAnswer, OutputSpec, Parsed, Summary, ToolCalls
from prompts.parsers.candidates import candidates_in
from prompts.parsers.found import Found
from prompts.parsers.text import citations, clean, confidence, explanation, inner, without_citations

_TAG_OF: dict[Action, str] = {"search": "search", "answer": "answer", "summary": "summary"}


def find_tags(text: str, spec: OutputSpec) -> Found | None:
    """The last action with something in it."""
    tags = tags_of(spec)
    names = tuple(tags)
    said = [(match, _content(text, match, names)) for match in _openings(names).finditer(text)]
    said = [(match, content) for match, content in said if content]
    if not said:
        return None
    last, content = said[-1]
    action = tags[last[1].lower()]
    if action == "search":
        searches = [content for match, content in said if tags[match[1].lower()] == "search"]
        return Found(last.start(), ToolCalls.search(*searches))
    return Found(last.start(), _parsed(text, last, content, action, spec))


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
    return re.compile(rf"<({'|'.join(tags)})>", re.IGNORECASE) if tags else re.compile(r"(?!)")


@lru_cache(maxsize=64)
def _end(tag: str, tags: tuple[str, ...]) -> re.Pattern[str]:
    # An unclosed tag ends where the next action begins.
    return re.compile(rf"</{tag}>|<(?:{'|'.join(tags)})>", re.IGNORECASE)


def _content(text: str, opening: re.Match[str], tags: tuple[str, ...]) -> str:
    end = _end(opening[1], tags).search(text, opening.end())
    return clean(text[opening.end() : end.start() if end else len(text)])


def _final_answer(text: str, opening: re.Match[str], content: str) -> FinalAnswer:
    answer = clean(re.split(r"<confidence>", content, flags=re.IGNORECASE)[0])
    stated = [value for value in map(confidence, inner(text, "confidence")) if value is not None]
    return FinalAnswer(
        text=without_citations(answer) or answer,
        explanation=explanation(text[: opening.start()]),
        confidence=stated[-1] if stated else None,
        citations=citations(text),
    )
