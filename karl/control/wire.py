"""Dataclasses as lines of JSON: `["Token", {"rollout": ..., "turn": 1, "text": "Os"}]`."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from karl.control.events import Event
from karl.control.requests import Request
from store.errors import KarlError

Message = TypeVar("Message")


class Wire(Generic[Message]):
    """Both ends know the same kinds of messages, by their names."""

    def __init__(self, union: Any) -> None:
        self._kinds: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(union)}

    def line(self, message: Message) -> bytes:
        """By json: it escapes lone surrogates, which an endpoint may answer with and msgspec refuses, and keeps nan."""
        told = msgspec.to_builtins(message, enc_hook=_plain)
        return json.dumps([type(message).__name__, told], separators=(",", ":")).encode() + b"\n"

    def read(self, line: bytes) -> Message:
        """Raises: KarlError for a line that is no message: the other end is of another version."""
        try:
            name, told = json.loads(line)
            return msgspec.convert(told, self._kinds[name], dec_hook=_model)
        except (ValueError, TypeError, KeyError, msgspec.ValidationError, ValidationError) as exc:
            raise KarlError(f"no message: {line[:200]!r}") from exc


def _plain(value: Any) -> Any:
    """Settings are pydantic's."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"no message holds a {type(value).__name__}")  # what msgspec's hooks are to raise


def _model(kind: type[Any], told: Any) -> Any:
    if issubclass(kind, BaseModel):
        return kind.model_validate(told)
    raise NotImplementedError(f"no message holds a {kind.__name__}")


EVENTS: Wire[Event] = Wire(Event)
REQUESTS: Wire[Request] = Wire(Request)
