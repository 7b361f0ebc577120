"""The document behind a passage, opened with what the user's machine has for it."""

from __future__ import annotations

import subprocess
from functools import partial

from karl.control.sources import Source, opening, source_of, start
from store import queries
from store.errors import KarlError
from store.session import Store
from tui.reading.passages import Passage
from tui.screens.base import RoomScreen
from tui.threads import in_thread


def open_document(screen: RoomScreen, passage: Passage, *, corpus: str) -> None:
    """At the passage's page. What cannot be opened is told in the screen's status line."""
    in_thread(screen, partial(_source, screen.desk.store, passage, corpus), partial(_open, screen, passage))


def _source(store: Store, passage: Passage, corpus: str) -> Source | None:
    """Raises: KarlError when the database refuses, or the passage is gone."""
    chunk_id = passage.chunk_id
    if chunk_id is None:
        with store.session() as session:
            corpus_id = queries.corpus_by_name(session, corpus).id
            assert corpus_id is not None
            chunk_id = queries.chunk_by_key(session, corpus_id, key=passage.key).id
    if chunk_id is None:
        raise KarlError(f"{passage.place} is no longer in {corpus}")
    return source_of(store, chunk_id)


def _open(screen: RoomScreen, passage: Passage, source: Source | None) -> None:
    chosen = opening(source) if source is not None else None
    if source is None or chosen is None:
        there = source is not None and source.path.is_file()
        why = "no program here shows it" if there else "the file is not there"
        screen.say(f"{source.place if source else passage.place}: {why}", failed=True)
        return
    screen.say(" ".join(chosen.command))
    if chosen.in_terminal:
        with screen.app.suspend():
            subprocess.run(chosen.command, check=False)
    else:
        in_thread(screen, partial(start, chosen.command), lambda _: None)
