"""Drafts into files: only the user's own, never over what somebody else has written meanwhile."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from karl.control.workshop.drafts import FOLDERS, Draft, folders_of, sha256, text_on_disk
from karl.control.workshop.pieces import Kind
from karl.settings import SETTINGS_FILE, Settings
from store.errors import KarlError, UsageError


class ChangedOnDisk(KarlError):
    """The file is another than the draft began with. `text`: what it says now; None: it was deleted."""

    def __init__(self, draft: Draft, text: str | None) -> None:
        what = "was deleted" if text is None else "was changed"
        super().__init__(f"{draft.path}: {what} by someone else since it was opened here")
        self.text = text


@dataclass(frozen=True, slots=True)
class FolderOffer:
    """A folder that could be made for a draft. line: what karl.toml has to say for the folder to count.

    writes_settings: there is no karl.toml yet, so one is made; an existing one stays as it is.
    """

    kind: Kind
    folder: Path
    line: str
    writes_settings: bool


def offer(draft: Draft, settings: Settings) -> FolderOffer | None:
    """None: there is a folder already."""
    if folders_of(draft.kind, settings):
        return None
    folder = FOLDERS[draft.kind]
    line = f'{draft.kind}_path = ["{folder}"]'
    return FolderOffer(draft.kind, folder, line, writes_settings=not Path(SETTINGS_FILE).exists())


def make_folder(made: FolderOffer, settings: Settings) -> Settings:
    """The settings under which files of the new folder are in effect. Raises: UsageError when it can't be made."""
    from karl.project.folder import SCHEMA_FILE, schema_text, write_file
    from karl.project.settings_file import settings_toml

    key = f"{made.kind}_path"
    try:
        made.folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"{made.folder}: can't be made: {exc.strerror or exc}") from exc
    if made.kind is Kind.GRAPH and not (made.folder / SCHEMA_FILE).exists():
        write_file(made.folder / SCHEMA_FILE, schema_text())
    if made.writes_settings:
        write_file(Path(SETTINGS_FILE), settings_toml(**{key: [str(made.folder)]}))
    return settings.model_copy(update={key: [made.folder]})


def save(draft: Draft, *, over: bool = False) -> Draft:
    """Write it, whole or not at all; the draft as it goes on. over: even where someone else has changed the file.

    Raises: ChangedOnDisk; UsageError when the file can't be written.
    """
    found = text_on_disk(draft)
    if not over and (None if found is None else sha256(found)) != draft.base:
        raise ChangedOnDisk(draft, found)
    _write(draft.path.resolve(), draft.text)
    return replace(draft, began=draft.text, base=sha256(draft.text))


def _write(path: Path, text: str) -> None:
    from karl.project.folder import write_file

    part = path.with_name(f".{path.name}.part")
    write_file(part, text)
    try:
        if path.exists():
            shutil.copymode(path, part)
        os.replace(part, path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise UsageError(f"{path}: can't be written: {exc.strerror or exc}") from exc
