"""JSON as models write it: inside prose or fences, with trailing commas, smart quotes, or cut off in the middle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import json_repair

_START = re.compile(r"\{|\[\s*\{")
_SCANNED = re.compile(r'[{}\[\]"\\]')
_DECODER = json.JSONDecoder()
# A turn full of braces must not cost more than it is worth: repairing takes time quadratic in depth and length.
_MOST_REPAIRS = 16
_MOST_CHARS = 16_000
_DEEPEST = 12


class JsonValue(NamedTuple):
    """An object, or an array of objects, at text[start:end]."""

    start: int
    end: int
    value: Any


def json_values(text: str) -> Iterator[JsonValue]:
    """Outermost objects and arrays of objects in `text`, in order, repaired where they are broken."""
    at = repairs = 0
    while match := _START.search(text, at):
        found = _strict(text, match.start())
        if found is None and repairs < _MOST_REPAIRS:
            repairs += 1
            found = _repaired(text, match.start())
        if found is None:
            at = match.start() + 1
        else:
            yield found
            at = found.end


def read_object(text: str) -> dict[str, Any] | None:
    """The first object in `text`, which should hold nothing else."""
    return next((found.value for found in json_values(text) if isinstance(found.value, dict)), None)


def _strict(text: str, start: int) -> JsonValue | None:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError):
        return None
    return JsonValue(start, end, value)


def _repaired(text: str, start: int) -> JsonValue | None:
    end, depth = _closing(text, start)
    if end - start > _MOST_CHARS or depth > _DEEPEST:
        return None
    try:
        value = json_repair.loads(text[start:end], skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    # Braces in prose are "repaired" to lists of words, or to an object without keys.
    objects = value if isinstance(value, list) else [value]
    return JsonValue(start, end, value) if objects and all(isinstance(o, dict) and o for o in objects) else None


def _closing(text: str, start: int) -> tuple[int, int]:
    """(where the bracket at `start` is closed, strings left out; the end of the text when it never is; the depth)"""
    depth, deepest, quoted, skip = 0, 0, False, -1
    for match in _SCANNED.finditer(text, start):
        if match.start() == skip:
            continue
        match match[0]:
            case "\\":
                skip = match.end()
            case '"':
                quoted = not quoted
            case "{" | "[" if not quoted:
                depth += 1
                deepest = max(deepest, depth)
            case "}" | "]" if not quoted:
                depth -= 1
                if depth == 0:
                    return match.end(), deepest
    return len(text), deepest
