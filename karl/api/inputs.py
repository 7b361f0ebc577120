"""What a graph is asked: a question, or a mapping with the keys that its role reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphs.state import Example, RolloutInputs
from prompts.closed_yaml import closest
from prompts.output import FinalAnswer
from store.errors import UsageError
from store.types import Hit, Role

Inputs = str | Mapping[str, Any]
KEYS = ("question", "seeds", "examples", "answers")


def read_inputs(inputs: Inputs, *, role: Role, seeds: Sequence[Hit]) -> RolloutInputs:
    """`seeds`: the passages that the key of that name stands for. Raises: UsageError naming the key and the mend."""
    given = known(inputs)
    question = given.get("question", "")
    if not isinstance(question, str):
        raise _wrong("question", "text", question)
    if role is not Role.GENERATOR and not question.strip():
        raise UsageError("inputs: key 'question' is missing or empty; give {'question': '...'}")
    return RolloutInputs(
        question=question,
        seeds=seeds,
        examples=[_example(item) for item in _items("examples", given)],
        answers=[_final(item) for item in _items("answers", given)],
    )


def known(inputs: Inputs) -> Mapping[str, Any]:
    """A bare text is a question. Raises: UsageError for a key that no graph reads."""
    if isinstance(inputs, str):
        return {"question": inputs}
    if not isinstance(inputs, Mapping):
        raise UsageError(f"inputs: expected a question or a mapping, got {type(inputs).__name__}")
    unknown = next((key for key in inputs if key not in KEYS), None)
    if unknown is not None:
        raise UsageError(f"inputs: unknown key {unknown!r}; known keys: {', '.join(KEYS)}{closest(unknown, KEYS)}")
    return inputs


def _items(key: str, given: Mapping[str, Any]) -> Sequence[Any]:
    items = given.get(key, ())
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise _wrong(key, "a list", items)
    return items


def _example(item: Any) -> Example:
    try:
        return Example(item["question"], item["answer"]) if isinstance(item, Mapping) else Example(*item)
    except (KeyError, TypeError):
        raise _wrong("examples", "pairs such as {'question': ..., 'answer': ...}", item) from None


def _final(item: Any) -> FinalAnswer:
    match item:
        case FinalAnswer():
            return item
        case str():
            return FinalAnswer(text=item)
        case {"text": str(text), **rest} if rest.keys() <= {"explanation", "confidence"}:
            return FinalAnswer(text=text, **rest)
    raise _wrong("answers", "texts, or {'text': ..., 'explanation': ..., 'confidence': ...}", item)


def _wrong(key: str, expected: str, found: Any) -> UsageError:
    return UsageError(f"inputs: key {key!r}: expected {expected}, got {found!r}")
