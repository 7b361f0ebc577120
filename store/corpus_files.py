"""Find the files of a corpus and fingerprint their contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from store.corpus_settings import CorpusSettings
from store.errors import UsageError
from store.readers.base import READER_VERSION, Reader
from store.readers.registry import READERS, reader_of

UNSUPPORTED = "unsupported format"


class SourceFile(NamedTuple):
    """`name` is relative to the source, with forward slashes: the documents' path in the store.

    refused: why it is not even opened; "" for what has a reader.
    """

    path: Path
    name: str
    reader: Reader | None
    refused: str = ""


def find_files(source: Path) -> list[SourceFile]:
    """Every file under `source` (or that one file), by name; hidden files and folders are not part of a corpus.

    Raises: UsageError for a missing path, or when no file has a known format.
    """
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    paths = list(_walk(source)) if source.is_dir() else [source]
    root = source if source.is_dir() else source.parent
    files = [_source_file(path, root=root) for path in paths]
    if not any(file.reader for file in files):
        known = " ".join(sorted(READERS))
        raise UsageError(f"{source}: nothing to read: {len(files)} files, none of a known format ({known})")
    return sorted(files, key=lambda file: file.name)


def _walk(folder: Path) -> Iterator[Path]:
    """Raises: UsageError for a folder that cannot be listed: leaving it out would look like removed documents."""
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if Path(parent, name).is_symlink()]  # os.walk does not enter these
        yield from (Path(parent, name) for name in [*names, *linked] if not name.startswith("."))


def _source_file(path: Path, *, root: Path) -> SourceFile:
    name, reader = shown_name(path.relative_to(root)), reader_of(path)
    if path.is_dir():
        return SourceFile(path, name, None, "a link to a folder is not followed; ingest the folder it names")
    if path.exists() and not path.is_file():
        return SourceFile(path, name, None, "no regular file (a pipe, a device or a socket)")
    refused = "" if reader else f"{UNSUPPORTED} ({path.suffix or 'no extension'})"
    return SourceFile(path, name, reader, refused)


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot list this folder: {error.strerror}") from error


def shown_name(path: Path) -> str:
    """Bytes of a file name that are no UTF-8 are escaped: databases refuse them."""
    return os.fsencode(path.as_posix()).decode("utf-8", errors="backslashreplace")


def fingerprint(content: bytes, *, kind: str, settings: CorpusSettings) -> str:
    """sha256 of the contents and of all else that decides what the chunks are."""
    cut = f"{settings.max_chars}\0{settings.chunking.stamp}"
    return hashlib.sha256(f"{READER_VERSION}\0{kind}\0{cut}\0".encode() + content).hexdigest()
