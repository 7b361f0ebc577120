"""The document behind a passage, and the program that shows it at its page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from store import queries
from store.errors import KarlError
from store.models import Corpus, Document
from store.session import Store

# A viewer that takes a page -> its command; the first that is installed is used.
PAGED: dict[str, Callable[[str, int], list[str]]] = {
    "evince": lambda path, page: ["evince", f"--page-index={page}", path],
    "okular": lambda path, page: ["okular", "--page", str(page), path],
    "zathura": lambda path, page: ["zathura", f"--page={page}", path],
    "sioyek": lambda path, page: ["sioyek", "--page", str(page), path],
    "mupdf": lambda path, page: ["mupdf", path, str(page)],
    "xpdf": lambda path, page: ["xpdf", path, str(page)],
}
OPENERS = {"darwin": ("open",), "linux": ("xdg-open", "gio")}
PAGERS = ("less", "more")


class Source(NamedTuple):
    """path: of the file, whether it is there or not. kind: of the reader: pdf, markdown, text, html, jsonl."""

    path: Path
    page: int | None
    kind: str

    @property
    def place(self) -> str:
        return f"{self.path}, page {self.page}" if self.page is not None else str(self.path)


class Opening(NamedTuple):
    """A command that shows a source; in_terminal: it needs the terminal for itself."""

    command: list[str]
    in_terminal: bool


def source_of(store: Store, chunk_id: int) -> Source | None:
    """None: the passage is no longer in its corpus. Raises: KarlError when the database refuses."""
    with store.session() as session:
        chunk = queries.chunks_by_id(session, [chunk_id]).get(chunk_id)
        document = session.get(Document, chunk.document_id) if chunk else None
        corpus = session.get(Corpus, chunk.corpus_id) if chunk else None
    if chunk is None or document is None or corpus is None:
        return None
    return Source(_file(Path(corpus.source), document), chunk.page, document.kind)


def _file(source: Path, document: Document) -> Path:
    """A corpus of one file is named by it; a document of a file of many has its part behind a #."""
    folder = source.parent if source.is_file() else source
    path = folder / document.path
    return folder / document.path.rpartition("#")[0] if document.kind == "jsonl" and not path.is_file() else path


def opening(source: Source, *, environment: dict[str, str] | None = None) -> Opening | None:
    """None: the file is gone, or nothing here can show it."""
    given = dict(os.environ) if environment is None else environment
    if not source.path.is_file():
        return None
    path = given.get("PATH")
    if sys.platform == "darwin" or given.get("DISPLAY") or given.get("WAYLAND_DISPLAY"):
        command = _graphical(source, path=path)
        if command is not None:
            return Opening(command, in_terminal=False)
    pager = _pager(given, path=path) if source.kind != "pdf" else None
    return Opening([*pager, str(source.path)], in_terminal=True) if pager else None


def _graphical(source: Source, *, path: str | None) -> list[str] | None:
    if source.kind == "pdf" and source.page is not None:
        for name, command in PAGED.items():
            if shutil.which(name, path=path):
                return command(str(source.path), source.page)
    for name in OPENERS.get(sys.platform, ()):
        if shutil.which(name, path=path):
            return [name, *(["open"] if name == "gio" else []), str(source.path)]
    return None


def _pager(environment: dict[str, str], *, path: str | None) -> Sequence[str] | None:
    wanted = environment.get("PAGER", "").split()
    if wanted and shutil.which(wanted[0], path=path):
        return wanted
    return next(([name] for name in PAGERS if shutil.which(name, path=path)), None)


def start(command: Sequence[str]) -> None:
    """A viewer that lives on by itself. Raises: KarlError when it cannot be started."""
    try:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        raise KarlError(f"{' '.join(command)}: cannot be started: {exc.strerror}") from exc
