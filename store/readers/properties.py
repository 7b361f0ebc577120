"""What documents say of themselves, as plain values by which a search can be restricted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from store.readers.base import clean

LONGEST = 300  # characters of a value
MOST = 32  # values a document
RESERVED = frozenset({"path", "page", "title", "headings", "key", "kind"})  # the store's own


def plain_properties(values: Mapping[Any, Any], *, without: frozenset[str] = frozenset()) -> dict[str, str | int]:
    """Numbers, texts, dates and lists of them by lower-case names; what is nested, empty or reserved is left out."""
    found: dict[str, str | int] = {}
    for key, value in values.items():
        name = clean(str(key)).lower()
        plain = _plain(value)
        if name and name not in RESERVED | without and plain != "" and len(found) < MOST:
            found[name] = plain
    return found


def _plain(value: Any) -> str | int:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, date):
        return value.date().isoformat() if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, str | float | int):
        return " ".join(clean(str(value)).split())[:LONGEST]
    if isinstance(value, list):
        return ", ".join(str(text) for item in value if not isinstance(item, list) and (text := _plain(item)) != "")[
            :LONGEST
        ]
    return ""
