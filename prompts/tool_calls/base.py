"""What a format is, and how a JSON object becomes a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from prompts.lenient_json import read_object
from prompts.output import CallFormatName, ToolCall


class Located(NamedTuple):
    """A call at text[start:end]."""

    start: int
    end: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class CallFormat:
    """One way to write calls. `find` never raises; a broken call is found with its `problem`.

    instructions: for a prompt that lists its tools. marks: a chat template that holds all of them writes this format.
    """

    name: CallFormatName
    find: Callable[[str], list[Located]]
    instructions: str
    marks: tuple[str, ...] = ()


_NAMES = ("name", "tool", "tool_name", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input")


def looks_like_call(value: Any) -> bool:
    """Whether a JSON object found in prose names a tool and arguments."""
    if not isinstance(value, dict):
        return False
    value = _inner(value)
    return isinstance(_first(value, _NAMES), str) and any(key in value for key in _ARGUMENTS)


def flat(value: Any) -> list[Any]:
    """The calls that one JSON value holds: it may be an array of them, or OpenAI's object with `tool_calls`."""
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        return value["tool_calls"]
    return value if isinstance(value, list) else [value]


def call_of(value: Any, text: str) -> ToolCall:
    """The call that `{"name": ..., "arguments": {...}}` spells, or OpenAI's shape with "function" around it."""
    if not isinstance(value, dict):
        return broken('the call is no JSON object with "name" and "arguments"', text)
    value = _inner(value)
    name, given = _first(value, _NAMES), _first(value, _ARGUMENTS)
    if not isinstance(name, str) or not name.strip():
        return broken('the call has no "name"', text)
    # Arguments may be missing, or encoded twice, as OpenAI's API gives them.
    arguments = {} if given in (None, "") else read_object(given) if isinstance(given, str) else given
    if not isinstance(arguments, dict):
        return broken('"arguments" is no JSON object', text, name=name.strip())
    return ToolCall(name.strip(), arguments, text=text)


def broken(problem: str, text: str, *, name: str = "") -> ToolCall:
    return ToolCall(name, {}, problem, text)


def _inner(value: dict[str, Any]) -> dict[str, Any]:
    function = value.get("function")
    return function if isinstance(function, dict) else value


def _first(value: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)
