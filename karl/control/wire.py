"""Dataclasses as lines of JSON: `["Token", {"rollout": ..., "turn": 1, "text": "Os"}]`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Generic, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from karl.control.events import Event
from karl.control.requests import Request
from store.errors import KarlError

Message = TypeVar("Message")


class Wire(Generic[Message]):
    """Both ends know the same kinds of messages, by their names."""

    def __init__(self, union: Any) -> None:
        self._kinds: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(union)}

    def line(self, message: Message) -> bytes:
        kind = type(message)
        told = _adapter(kind).dump_python(message, mode="json")
        return json.dumps([kind.__name__, told], separators=(",", ":")).encode() + b"\n"

    def read(self, line: bytes) -> Message:
        """Raises: KarlError for a line that is no message: the other end is of another version."""
        try:
            name, told = json.loads(line)
            return _adapter(self._kinds[name]).validate_python(told)
        except (ValueError, TypeError, KeyError, ValidationError) as exc:
            raise KarlError(f"no message: {line[:200]!r}") from exc


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Made once for each kind: it costs a millisecond, and tokens come by the hundred."""
    return TypeAdapter(kind)


EVENTS: Wire[Event] = Wire(Event)
REQUESTS: Wire[Request] = Wire(Request)
