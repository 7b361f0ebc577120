"""Vectors of the passages of many chunks, some passages at a time: their texts are let go once they are embedded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.vectors.base import IndexEntry, IndexProgress, Progress
from store.vectors.embedders import Embedder
from store.vectors.passages import embedded_passages

PASSAGES_AT_ONCE = 50_000  # about 50 MB of texts; the embedder sorts them by length among themselves


def passage_vectors(
    entries: Iterable[IndexEntry], *, counts_N: NDArray[np.int64], embedder: Embedder, progress: Progress | None
) -> NDArray[np.float32]:
    """V x D, of all chunks one after another. counts_N: how many passages each chunk has to embed.

    Raises: KarlError where the entries are not those that were counted; what the embedder raises.
    """
    total, done = int(counts_N.sum()), 0
    rows_VD = np.empty((total, 0), dtype=np.float32)
    for texts in _parts(entries, counts_N):
        found = embedder.embed_passages(texts, progress=_moved(progress, done=done, total=total))
        if not done:
            rows_VD = np.empty((total, found.shape[1]), dtype=np.float32)
        rows_VD[done : done + len(texts)] = found
        done += len(texts)
    return rows_VD


def _parts(entries: Iterable[IndexEntry], counts_N: NDArray[np.int64]) -> Iterator[list[str]]:
    """Texts of whole chunks, PASSAGES_AT_ONCE or a few more."""
    texts: list[str] = []
    expected = iter(counts_N.tolist())
    for entry in entries:
        found = embedded_passages(entry)
        if len(found) != next(expected, None):
            raise _changed()
        texts += found
        if len(texts) >= PASSAGES_AT_ONCE:
            yield texts
            texts = []
    if next(expected, None) is not None:
        raise _changed()
    if texts:
        yield texts


def _changed() -> KarlError:
    return KarlError("the corpus was changed while it was indexed; run `karl ingest` again")


def _moved(progress: Progress | None, *, done: int, total: int) -> Progress | None:
    return progress and (lambda state: progress(IndexProgress(done + state.done, total)))
