"""The folder that a leaderboard is: read, checked, added to. A file in it that is wrong is an error, never left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evals.leaderboard.checks import Entry, check, duplicates, problems, strangers
from evals.leaderboard.submission import read_submission
from store.errors import UsageError
from store.jsonfile import write_json

_FOREIGN = re.compile(r"[^a-z0-9.]+")


def read_entries(paths: Sequence[Path]) -> list[Entry]:
    """Raises: UsageError."""
    return [Entry(path, read_submission(path)) for path in paths]


def check_files(paths: Sequence[Path]) -> list[Entry]:
    """Raises: UsageError with every problem of every file."""
    entries: list[Entry] = []
    found: list[str] = []
    for path in paths:
        try:
            entries.append(Entry(path, read_submission(path)))
            found += problems(entries[-1])
        except UsageError as exc:
            found.append(str(exc))
    found += [*duplicates(entries), *strangers(entries)]
    if found:
        raise UsageError("\n".join(found))
    return entries


def read_folder(folder: Path) -> list[Entry]:
    """Raises: UsageError for a folder that is not there, or a file in it that may not be."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; `karl leaderboard add {folder} FILE` makes it")
    return check_files(sorted(folder.glob("*.json")))


def add(folder: Path, path: Path) -> Path:
    """With its evaluation in it, under its own name. Raises: UsageError."""
    entry = Entry(path, read_submission(path))
    check(entry)
    held = read_entries(sorted(folder.glob("*.json"))) if folder.is_dir() else []
    wrong = [*duplicates([*held, entry]), *strangers([*held, entry])]
    if wrong:
        raise UsageError("\n".join(wrong))
    submission = entry.submission
    name = _FOREIGN.sub("-", f"{submission.organisation} {submission.system}".lower()).strip("-.") or "entry"
    target = folder / f"{name}-{submission.evaluation.sha256[:8]}.json"
    if target.exists():
        raise UsageError(f"{target}: is there already; remove it first, or put a version into the name {entry.name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(target, submission.model_dump(mode="json"))
    return target
