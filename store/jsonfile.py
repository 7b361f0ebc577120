"""JSON files, written so that a reader sees the old one or the new one, never half of it; lines of JSON Lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Atomic on one file system: a temporary file beside it, then a rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Raises: OSError, ValueError."""
    return json.loads(path.read_text(encoding="utf-8"))


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of JSON Lines, blank ones left out; a byte order mark before the first is none of it."""
    # Not str.splitlines: a string of JSON may hold U+2028, U+2029 and U+0085 as they are.
    for number, line in enumerate(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").split("\n"), start=1):
        if line.strip():
            yield number, line
