"""A store in a real SQLite file; for tests of Weaviate a double of the server, and a small corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.session import Store

if TYPE_CHECKING:
    from tests.store.weaviate_double import WeaviateDouble


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/home/karl.db")
    yield opened
    opened.close()


@pytest.fixture
def double() -> Iterator[WeaviateDouble]:
    from tests.store.weaviate_double import WeaviateDouble

    with WeaviateDouble() as running:
        yield running


@pytest.fixture
def notes(store: Store, tmp_path: Path) -> Path:
    """The folder of the corpus `notes`."""
    from tests.store.weaviate_kit import NOTES, ingested

    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    ingested(store, folder)
    return folder
