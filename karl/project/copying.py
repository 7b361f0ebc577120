"""Copies of single built-in files in the project's own folders, where they shadow the built-in ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from karl.catalog import BUILT_IN, find_graph, find_prompt
from karl.project.folder import SCHEMA_FILE, write_file
from karl.project.graph_copies import whole_copy
from karl.project.prompt_copies import prompt_copy
from karl.settings import Settings
from store.errors import UsageError


def copy_graph(name: str, *, settings: Settings) -> Path:
    """The built-in graph as a whole file of the first folder of `graph_path`.

    Raises: UsageError for an unknown name, where no folder is set, and for a file that is there already.
    """
    folder = _folder(settings.graph_path, "graph_path")
    find_graph(f"{name}{BUILT_IN}", settings=settings)
    schema = SCHEMA_FILE if (folder / SCHEMA_FILE).is_file() else ""
    return _write(folder / f"{name}.yaml", whole_copy(name, schema=schema))


def copy_prompt(name: str, *, settings: Settings, variant: str = "") -> Path:
    """The built-in prompt as a file of the first folder of `prompt_path`. Raises: as `copy_graph`."""
    folder = _folder(settings.prompt_path, "prompt_path")
    found = find_prompt(f"{name}{BUILT_IN}", settings=settings, variant=variant)
    own = variant and found.path.parent.name == variant
    text = found.path.read_text(encoding="utf-8") if own else prompt_copy(name)
    return _write((folder / variant if own else folder) / f"{name}.md", text)


def _folder(path: Sequence[Path], key: str) -> Path:
    if not path:
        raise UsageError(f"no folder to copy to; run `karl init` here, or set '{key}' in karl.toml")
    return path[0]


def _write(path: Path, text: str) -> Path:
    if path.exists():
        raise UsageError(f"{path}: is there already and stays as it is; move it away first to have a fresh copy")
    write_file(path, text)
    return path
