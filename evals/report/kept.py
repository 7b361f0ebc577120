"""Evaluations that were kept as files, found by name or by the beginning of their hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from evals.report.document import EvaluationDocument, read_document
from store.errors import UsageError

LEAST_DIGITS = 6  # of a hash


class Kept(NamedTuple):
    path: Path
    name: str
    sha256: str
    date: str


def open_document(given: str, folder: Path, *, say: Callable[[str], None]) -> EvaluationDocument:
    """A file, or the name or hash of one that is kept. Raises: UsageError."""
    path = Path(given).expanduser()
    if path.is_file():
        return read_document(path)
    found, others = find_document(given, folder)
    if others:
        say(f"{given}: the newest of {others + 1} evaluations of this name; the others are named by their hashes")
    return read_document(found)


def find_document(given: str, folder: Path) -> tuple[Path, int]:
    """The newest of that name or hash, and how many older ones there are.

    Raises: UsageError for none, or a hash that is the beginning of several.
    """
    kept = sorted(_kept(folder), key=lambda one: one.date, reverse=True)
    named = [one for one in kept if one.name == given]
    if named:
        return named[0].path, len(named) - 1
    hashed = [one for one in kept if len(given) >= LEAST_DIGITS and one.sha256.startswith(given.lower())]
    if len(hashed) == 1:
        return hashed[0].path, 0
    if hashed:
        raise UsageError(f"{given!r} begins the hash of {len(hashed)} evaluations; give more of its digits")
    raise UsageError(f"no evaluation {given!r}: no such file, and {_there(given, kept, folder)}")


def _kept(folder: Path) -> Iterator[Kept]:
    """A file that is no document is none of ours."""
    for path in sorted(folder.glob("*.json")):
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            yield Kept(path, *(str(held[key]) for key in ("name", "sha256", "date")))
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _there(given: str, kept: list[Kept], folder: Path) -> str:
    if not kept:
        return f"none is kept in {folder}; `karl eval SYSTEM --suite fogbench` makes one"
    names = list(dict.fromkeys(one.name for one in kept))
    close = get_close_matches(given, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    listed = ", ".join(f"{one.name} ({one.sha256[:16]})" for one in kept[:8])
    return f"none of that name or hash is kept in {folder}{hint}; there are: {listed}"
