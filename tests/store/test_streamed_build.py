"""A build reads its chunks some at a time, keeps none of their texts, and is what it would be of all at once."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from store.errors import KarlError
from store.vectors import passage_vectors, postings_builder
from store.vectors.base import IndexEntry
from store.vectors.caching_embedder import CachingEmbedder
from store.vectors.passages import passages
from store.vectors.postings import Postings
from store.vectors.segments import Segment
from tests.store.test_segments import entries
from tests.store.test_vectors import HashEmbedder


def test_lists_made_in_parts_are_those_of_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [passages(entry) for entry in entries(120, longest=600)]
    whole = Postings.build(texts)
    for words in (1, 1_000):
        monkeypatch.setattr(postings_builder, "WORDS_AT_ONCE", words)
        for field in fields(Postings):
            made, expected = (getattr(one, field.name) for one in (Postings.build(texts), whole))
            assert made.dtype == expected.dtype
            assert np.array_equal(made, expected), field.name


class Streamed:
    """Entries anew each time they are gone through; counts how many of their texts are alive at once."""

    def __init__(self, held: list[IndexEntry]) -> None:
        self.held, self.alive, self.most = held, 0, 0

    def __iter__(self) -> Iterator[IndexEntry]:
        for entry in self.held:
            text = Text(entry.text)
            weakref.finalize(text, self._gone)
            self.alive += 1
            self.most = max(self.most, self.alive)
            yield entry._replace(text=text)

    def _gone(self) -> None:
        self.alive -= 1


class Text(str):
    """Can be referred to weakly."""


def test_a_build_holds_no_texts_and_gives_the_same_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    held = entries(60, longest=600)
    whole = Segment.build(held, embedder=HashEmbedder(), progress=None)
    monkeypatch.setattr(postings_builder, "WORDS_AT_ONCE", 500)
    monkeypatch.setattr(passage_vectors, "PASSAGES_AT_ONCE", 10)
    streamed = Streamed(held)
    made = Segment.build(streamed, embedder=HashEmbedder(), progress=None)
    assert streamed.most <= 3
    assert made.dense is not None and whole.dense is not None
    assert len(made.dense.owners_V) > 2 * len(held)
    assert np.array_equal(made.dense.owners_V, whole.dense.owners_V)
    assert np.array_equal(made.dense.vectors(), whole.dense.vectors())
    assert np.array_equal(made.ids_N, whole.ids_N)
    assert np.array_equal(made.postings.docs_P, whole.postings.docs_P)


def test_progress_is_that_of_all_passages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(passage_vectors, "PASSAGES_AT_ONCE", 10)
    seen: list[tuple[int, int]] = []
    Segment.build(entries(25), embedder=Cached(tmp_path), progress=lambda state: seen.append((state.done, state.total)))
    assert seen == [(0, 25), (10, 25), (10, 25), (20, 25), (20, 25), (25, 25)]


class Cached(CachingEmbedder):
    def __init__(self, home: Path) -> None:
        super().__init__("hash", fingerprint="2" * 64, home=home)

    def _encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return HashEmbedder().embed_passages(texts)

    def _encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return HashEmbedder().embed_passages(texts)


@pytest.mark.parametrize("change", ["gone", "more", "longer"])
def test_entries_that_change_between_words_and_vectors_are_refused(change: str) -> None:
    held = entries(5)
    later = {"gone": held[:4], "more": entries(6), "longer": [*held[:4], held[4]._replace(text="alpha beta. " * 200)]}

    class Changing:
        turns = iter([held, later[change]])

        def __iter__(self) -> Iterator[IndexEntry]:
            return iter(next(self.turns))

    with pytest.raises(KarlError, match="changed while it was indexed"):
        Segment.build(Changing(), embedder=HashEmbedder(), progress=None)
