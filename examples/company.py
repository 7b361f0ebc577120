"""A generated company to ask about: notes in a temporary folder, ingested as the corpus `notes`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from karl import load_settings
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.reporting import SilentReporter
from karl.tiny.world import make_world, questions, write_notes
from store.session import Store


class Company(NamedTuple):
    """`home`: what `load_graph(home=...)` takes; `questions`: easy ones with their answers."""

    home: Path
    questions: list[tuple[str, str]]


@contextmanager
def generated_company(seed: int = 7) -> Iterator[Company]:
    world = make_world(seed)
    asked = questions(world, count=12, seed=seed, kinds=("home",))
    with tempfile.TemporaryDirectory() as folder:
        notes, home = Path(folder, "notes"), Path(folder, "home")
        write_notes(world, notes)
        ingest(notes, home)
        yield Company(home, [(question.text, question.answer) for question in asked])


def ingest(notes: Path, home: Path) -> None:
    """What `karl ingest NOTES --name notes --embedder none` does."""
    settings = load_settings(home=home)
    store = Store.open(settings.store_url)
    given = {"name": "notes", "choices": CorpusChoices(embedder="none"), "reporter": SilentReporter()}
    try:
        ingest_corpus(store, notes, settings=settings, **given)
    finally:
        store.close()
