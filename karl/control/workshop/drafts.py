"""A text under way: what it began as, where it will be saved. A built-in file becomes a copy in the user's folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from karl.control.workshop.pieces import Kind, Piece
from karl.settings import Settings

# Where a copy goes as long as the settings name no folder.
FOLDERS = {Kind.GRAPH: Path("graphs"), Kind.PROMPT: Path("prompts")}


@dataclass(frozen=True, slots=True)
class Draft:
    """text: as edited. path: where it is saved, never a built-in file. base: SHA-256 of that file's text when it was
    read; None: there was none. began: the text that it began as.
    """

    kind: Kind
    name: str
    variant: str
    path: Path
    text: str
    began: str
    base: str | None

    @property
    def changed(self) -> bool:
        return self.text != self.began


def opened(piece: Piece, settings: Settings) -> Draft:
    """Yours as it is, a built-in one as the copy that would be saved. Raises: UsageError when it can't be read."""
    from prompts.yaml_text import read_text

    text = _copy(piece, settings) if piece.built_in else read_text(piece.path)
    path = _target(piece, settings) if piece.built_in else piece.path
    base = None if piece.built_in else sha256(text)
    return Draft(piece.kind, piece.name, piece.variant, path, text, text, base)


def text_on_disk(draft: Draft) -> str | None:
    """None: there is no such file. Raises: UsageError when it can't be read."""
    from prompts.yaml_text import read_text

    return read_text(draft.path) if draft.path.exists() else None


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def folders_of(kind: Kind, settings: Settings) -> list[Path]:
    return settings.graph_path if kind is Kind.GRAPH else settings.prompt_path


def _target(piece: Piece, settings: Settings) -> Path:
    folder = next(iter(folders_of(piece.kind, settings)), FOLDERS[piece.kind])
    return folder / piece.variant / piece.path.name


def _copy(piece: Piece, settings: Settings) -> str:
    """With comments on what can be done with it, as `karl graph copy` and `karl prompt copy` write it."""
    from karl.project.folder import SCHEMA_FILE
    from karl.project.graph_copies import whole_copy
    from karl.project.prompt_copies import prompt_copy
    from prompts.yaml_text import read_text

    if piece.kind is Kind.GRAPH:
        has_schema = any((folder / SCHEMA_FILE).is_file() for folder in settings.graph_path[:1])
        return whole_copy(piece.name, schema=SCHEMA_FILE if has_schema else "")
    return read_text(piece.path) if piece.variant else prompt_copy(piece.name)
