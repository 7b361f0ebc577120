"""What a prompt's variables stand for: taken from a stored rollout where it has them, else made up, and said so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from karl.control.workshop.drafts import Draft
from karl.settings import Settings
from store.errors import UsageError
from store.types import Hit

if TYPE_CHECKING:
    from prompts import Prompt

SHOWN_CHARS = 4_000  # of a passage, as graphs have it by default
_EMPTY: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "list": []}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store has for a preview. source: where from, "rollout 12"; "" for nothing."""

    source: str = ""
    question: str = ""
    answer: str = ""
    explanation: str = ""
    confidence: float | None = None
    summary: str = ""
    query: str = ""
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """type: as the prompt declares it. source: where the value is from."""

    name: str
    type: str
    about: str
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """The value in a line."""
        if self.type == "list":
            return f"{len(self.value)} {'item' if len(self.value) == 1 else 'items'}"
        return " ".join(str(self.value).split())


def variables_of(draft: Draft, facts: Facts, settings: Settings) -> tuple[Variable, ...]:
    """In the order of the prompt's head. Raises: UsageError for a prompt that can't be read."""
    from graphs import samples

    prompt = drafted_prompt(draft)
    made_up: Mapping[str, Any] = {
        **samples.COMPRESSION,
        **samples.REFUSAL,
        **samples.CORRECTION,
        **samples.HITS,
        **samples.INSTRUCTION,
        **samples.BY_PLUGINS["repeated_query"],
    }
    stored = _stored(draft, facts, settings)
    found: list[Variable] = []
    for name, declared in prompt.variables.items():
        value, source = stored[name] if name in stored else (made_up.get(name, _EMPTY[declared.type]), "made up")
        found.append(Variable(name, declared.type, declared.description, value, source))
    return tuple(found)


def typed(variable: Variable, text: str) -> Variable:
    """With what the user typed, lists as JSON. Raises: UsageError for a text that is no such value."""
    try:
        value = text if variable.type == "string" else json.loads(text)
    except json.JSONDecodeError as exc:
        raise UsageError(f"{variable.name} is of type {variable.type}; write it as JSON: {exc}") from exc
    return replace(variable, value=value, source="typed")


def drafted_prompt(draft: Draft) -> Prompt:
    """Raises: UsageError."""
    from prompts.loader import read_prompt
    from prompts.yaml_text import unsaved

    with unsaved(draft.path, draft.text):
        return read_prompt(draft.path, name=draft.name, variant=draft.variant)


def _stored(draft: Draft, facts: Facts, settings: Settings) -> dict[str, tuple[Any, str]]:
    """Variable -> value, source; those alone that the store knows."""
    from graphs.state import CitationBook, Example
    from prompts.output import FinalAnswer

    found: dict[str, Any] = {}
    if facts.question:
        # Before the first compression a summary is empty, and so it is in a rollout without one.
        found |= {"question": facts.question, "summary": facts.summary}
    if facts.question and facts.answer:
        found |= {
            "answer": facts.answer,
            "answers": [FinalAnswer(facts.answer, explanation=facts.explanation, confidence=facts.confidence)],
            "examples": [Example(facts.question, facts.answer)],
        }
    if facts.query:
        found["query"] = facts.query
    if facts.hits:
        found["hits"] = CitationBook().show(facts.hits, max_chars=SHOWN_CHARS)
        found["seeds"] = _as_results(found["hits"], draft.variant, settings)
    return {name: (value, facts.source) for name, value in found.items()}


def _as_results(hits: list[Any], variant: str, settings: Settings) -> str:
    """Seeds are shown as search results."""
    from prompts import load_prompt

    return load_prompt("search_result", variant=variant, path=settings.prompt_path).render(hits=hits)
