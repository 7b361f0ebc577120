"""The document behind a passage, opened with what the user's machine has for it."""

from __future__ import annotations

import subprocess
from functools import partial

from textual.app import SuspendNotSupported

from karl.control.sources import Opening, Source, opening, source_of, start
from store import queries
from store.session import Store
from tui.reading.passages import Passage, passage_text
from tui.screens.base import RoomScreen
from tui.screens.viewer import ViewerScreen
from tui.threads import in_thread


def open_document(screen: RoomScreen, passage: Passage, *, corpus: str = "") -> None:
    """At the passage's page; where nothing opens it, the passage is shown with the place of its document.

    corpus: of a passage of which only the key is known.
    """
    found = partial(_open, screen, passage)
    in_thread(screen, partial(_source, screen.desk.store, passage, corpus), found)


def _source(store: Store, passage: Passage, corpus: str) -> Source | None:
    """Raises: KarlError when the database refuses, or the passage is gone."""
    chunk_id = passage.chunk_id
    if chunk_id is None:
        with store.session() as session:
            corpus_id = queries.corpus_by_name(session, corpus).id or 0
            chunk_id = queries.chunk_by_key(session, corpus_id, key=passage.key).id or 0
    return source_of(store, chunk_id)


def _open(screen: RoomScreen, passage: Passage, source: Source | None) -> None:
    chosen = opening(source) if source is not None else None
    if chosen is None or (chosen.in_terminal and not _page_in_terminal(screen, chosen)):
        _show_passage(screen, passage, source)
        return
    screen.say(" ".join(chosen.command))
    if not chosen.in_terminal:
        in_thread(screen, partial(start, chosen.command), lambda _: None)


def _page_in_terminal(screen: RoomScreen, chosen: Opening) -> bool:
    """False: this terminal cannot be lent, as that of a browser."""
    try:
        with screen.app.suspend():
            subprocess.run(chosen.command, check=False)
    except SuspendNotSupported:
        return False
    return True


def _show_passage(screen: RoomScreen, passage: Passage, source: Source | None) -> None:
    gone = "" if source and source.path.is_file() else " (the file is not there)"
    text = "\n".join([*([source.place] if source else []), passage_text(passage)])
    screen.app.push_screen(ViewerScreen(f"{passage.place}{gone}", text))
