"""LangChain's `tool_choice` in all its shapes: which of the bound tools the policy is told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompts.closed_yaml import closest
from store.errors import UsageError

_LEFT_TO_THE_POLICY = ("auto", "any", "required")


def chosen_tools(schemas: Sequence[dict[str, Any]], choice: Any) -> list[dict[str, Any]]:
    """Those that `choice` leaves. Raises: UsageError for a tool that is not there, or no choice at all."""
    name = _named(choice)
    if name in _LEFT_TO_THE_POLICY:
        return list(schemas)
    found = [schema for schema in schemas if schema["function"]["name"] == name]
    if not found and name != "none":
        names = [schema["function"]["name"] for schema in schemas]
        raise UsageError(
            f"tool_choice: no tool {name!r} is bound; there are: {', '.join(names) or 'none'}{closest(name, names)}"
        )
    return found


def _named(choice: Any) -> str:
    match choice:
        case None | bool():
            return "auto"
        case str(name) | {"function": {"name": str(name)}} | {"name": str(name)}:
            return name
        case {"type": "auto" | "any" | "none" | "required" as kind}:
            return kind
    raise UsageError(
        f"tool_choice: expected a tool's name, 'auto', 'any', 'none', True or "
        f"{{'type': 'function', 'function': {{'name': ...}}}}, got {choice!r}"
    )
