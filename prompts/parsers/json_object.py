"""Parser `json`: one object with the key of the action, as `{"search": ...}` or `{"answer": ..., "confidence": ...}`.

Fences, prose around it, trailing commas and smart quotes are survived; the last object that is an action counts.
Where that is a search, all searches of the turn are carried out, as calls in any other format are.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from prompts.lenient_json import JsonValue, json_values
from prompts.output import Action, CandidateSet, FinalAnswer, OutputSpec, Parsed, ParsedCandidate, Summary, ToolCalls
from prompts.parsers.candidates import make_candidate
from prompts.parsers.found import Found
from prompts.parsers.text import citations, confidence, drop_citations, without_citations

_KEYS: dict[Action, tuple[str, ...]] = {
    "search": ("search", "query"),
    "answer": ("answer", "exact_answer", "final_answer"),
    "summary": ("summary",),
    "candidates": ("candidates", "questions"),
}

# The turn ends within the number: 0. may have been 0.9, and 8 may have been 80.
_CUT_OFF = re.compile(r"confidence\W{1,4}[\d.,]*\Z", re.IGNORECASE)


def find_json(text: str, spec: OutputSpec) -> Found | None:
    """The last object with a key of an action and something in it."""
    found = [action for value in json_values(text) if (action := _found(text, value, spec))]
    if not found or not isinstance(found[-1].parsed, ToolCalls):
        return found[-1] if found else None
    calls = [call for one in found if isinstance(one.parsed, ToolCalls) for call in one.parsed.calls]
    return found[-1]._replace(parsed=ToolCalls(tuple(calls)))


def keys_of(spec: OutputSpec) -> list[str]:
    """The first key of each action, for messages."""
    return [_KEYS[action][0] for action in spec.actions]


def _found(text: str, found: JsonValue, spec: OutputSpec) -> Found | None:
    value = found.value
    if isinstance(value, list):
        # A bare array is a generator's: pairs without the object around them.
        value = {"candidates": value}
    for action in spec.actions:
        content = next((value[key] for key in _KEYS[action] if value.get(key) not in (None, "", [])), None)
        parsed = None if content is None else _parsed(text, value, content, action)
        if parsed is not None:
            return Found(found.start, parsed)
    return None


def _parsed(text: str, value: dict[str, Any], content: Any, action: Action) -> Parsed | None:
    match action:
        case "search":
            return ToolCalls.search(*(_text(query) for query in (content if isinstance(content, list) else [content])))
        case "summary":
            return Summary(_text(content))
        case "candidates":
            pairs = [pair for pair in content if isinstance(pair, dict)] if isinstance(content, list) else []
            return CandidateSet(tuple(map(_candidate, pairs))) if pairs else None
        case "answer":
            return _answer(text, value, _text(content))


def _answer(text: str, value: dict[str, Any], answer: str) -> FinalAnswer:
    stated = None if _CUT_OFF.search(text) else value.get("confidence")
    return FinalAnswer(
        text=without_citations(answer) or answer,
        explanation=_text(value.get("explanation", value.get("reasoning", ""))),
        confidence=None if stated is None else confidence(_text(stated)),
        citations=_cited(value, text),
    )


def _candidate(pair: dict[str, Any]) -> ParsedCandidate:
    nuggets = pair.get("nuggets", [])
    text = json.dumps(pair, ensure_ascii=False)
    made = make_candidate(
        _text(pair.get("question", "")),
        drop_citations(_text(pair.get("answer", ""))),
        [drop_citations(_text(nugget)) for nugget in nuggets] if isinstance(nuggets, list) else [],
        text,
    )
    return replace(made, citations=_cited(pair, text))


def _cited(value: dict[str, Any], text: str) -> tuple[int, ...]:
    """Those in `citations` first, then every [n] of the turn."""
    listed = value.get("citations", [])
    numbers = [n for n in listed if isinstance(n, int)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys((*numbers, *citations(text))))


def _text(value: Any) -> str:
    """Text of a value: the items of a list separated by commas, anything else as JSON writes it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False)
