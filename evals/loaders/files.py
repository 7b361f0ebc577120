"""Find a data set's files in a folder, whatever layout they were downloaded in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from store.errors import UsageError


def existing_folder(path: str | Path) -> Path:
    """Raises: UsageError for what is no folder."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give the one that holds the task's data")
    return folder


def find_files(folder: Path, patterns: Sequence[str], *, what: str) -> list[Path]:
    """The files of the first pattern that any file matches, by name. Patterns are globs from `folder`.

    Raises: UsageError naming every pattern when none matches.
    """
    for pattern in patterns:
        found = sorted(path for path in folder.glob(pattern) if path.is_file() and not _hidden(path, folder))
        if found:
            return found
    raise UsageError(f"{folder}: no {what}; looked for {', '.join(patterns)} (`karl bench-data list` says where from)")


def find_file(folder: Path, patterns: Sequence[str], *, what: str) -> Path:
    return find_files(folder, patterns, what=what)[0]


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
