"""A project folder with graphs and prompts of one's own, a store with a rollout, and the room over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from karl.control.place import load_settings
from store.models import Chunk, Corpus, Document
from store.queries import RolloutLinks, create_run, save_rollouts
from store.session import Session, Store
from tests.store.records import a_rollout
from tui.app import KarlApp

SETTINGS = 'graph_path = ["graphs"]\nprompt_path = ["prompts"]\n'
MINE = "extends: solver\ntools: {search: {k: 7}}\n"
PASSAGE = "Mira leads [falcon]."


def make_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Graphs and prompts of one's own, none in them yet."""
    monkeypatch.chdir(folder)
    (folder / "karl.toml").write_text(SETTINGS)
    (folder / "graphs").mkdir()
    (folder / "prompts").mkdir()
    return folder


def fill_rollout(session: Session) -> None:
    """A run over a corpus of one chunk, with one rollout that found it."""
    corpus = Corpus(name="notes", source="notes")
    session.add(corpus)
    session.flush()
    document = Document(corpus_id=corpus.id or 0, path="mira.md", sha256="0" * 64, chunk_count=1)
    session.add(document)
    session.flush()
    chunk = Chunk(
        corpus_id=corpus.id or 0,
        document_id=document.id or 0,
        key="mira.md#0",
        ordinal=0,
        title="Mira",
        text=PASSAGE,
        sha256="1" * 64,
    )
    session.add(chunk)
    session.flush()
    run = create_run(session, name="notes-1", corpus_id=corpus.id or 0, settings={"iterations": 1})
    record = a_rollout("notes-1/1")
    record = replace(record, steps=[replace(step, hits=[chunk.id or 0]) for step in record.steps])
    save_rollouts(session, [(record, RolloutLinks(run_id=run.id))])


def graphs_app(store: Store, *, home: Path | None = None) -> KarlApp:
    """Over the settings of the folder that the test stands in."""
    return KarlApp(store, load_settings(home=home or Path(str(store.url.database)).parent), room="graphs")
