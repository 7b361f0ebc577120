"""A folder of notes as whole documents, through the readers of `karl ingest`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from store.corpus_files import find_files
from store.readers.base import ReadError


class Note(NamedTuple):
    """`path`: relative to the folder, with forward slashes (a line of a JSONL file: `file.jsonl#id`)."""

    path: str
    title: str
    text: str
    error: str = ""


def read_notes(folder: Path) -> Iterator[Note]:
    """Every file of the folder, unreadable ones with their error. Raises: UsageError for a folder without any."""
    for file in find_files(folder.resolve()):
        if file.reader is None:
            yield Note(file.name, "", "", f"unsupported format ({file.path.suffix or 'no extension'})")
            continue
        try:
            for document in file.reader.read(file.path):
                path = f"{file.name}#{document.part}" if document.part else file.name
                text = "\n\n".join(chunk.text for chunk in document.chunks)
                yield Note(path, document.title, text, document.error or "")
        except ReadError as exc:
            yield Note(file.name, "", "", str(exc))
