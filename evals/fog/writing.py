"""A fog as files: documents in a folder, items as JSONL, the settings that made them."""

from __future__ import annotations

from pathlib import Path

from evals.fog.make import Fog
from store.errors import UsageError


def write_documents(fog: Fog, folder: Path) -> int:
    """One Markdown file a document; returns how many. Raises: UsageError where the folder holds other files."""
    _refuse_others(fog, folder)
    for document in fog.documents:
        path = folder / document.key
        path.parent.mkdir(parents=True, exist_ok=True)
        # Bytes, because text mode would write another newline on another system.
        path.write_bytes(document.text.encode())
    return len(fog.documents)


def _refuse_others(fog: Fog, folder: Path) -> None:
    """Documents of another fog would make answers ambiguous."""
    keys = {document.key for document in fog.documents}
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    others = [name for name in found if name not in keys]
    if others:
        raise UsageError(f"{folder}: holds {len(others)} files of something else, {others[0]} first; take a new folder")


def write_items(fog: Fog, path: Path) -> int:
    """One item a line, in the shape of `evals.items.EvalItem`; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{item.model_dump_json()}\n" for item in fog.items).encode())
    return len(fog.items)


def write_settings(fog: Fog, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"{fog.settings.model_dump_json(indent=2)}\n".encode())
