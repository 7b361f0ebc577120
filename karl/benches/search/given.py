"""Embedders for searches over seeded vectors: queries cost nothing, or what a real model needs for a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karl.benches.embed import questions
from store.vectors.base import Progress
from store.vectors.embedders import Embedder


class GivenVectors:
    """The next rows of those it was given: of passages, and of queries, which begin anew at their end."""

    name, fingerprint = "seeded", ""

    def __init__(self, rows_VD: NDArray[np.float32], queries_QD: NDArray[np.float32] | None = None) -> None:
        self.rows_VD, self._queries_QD = rows_VD, rows_VD if queries_QD is None else queries_QD
        self._next = self._asked = 0

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]:
        self._next += len(texts)
        return self.rows_VD[self._next - len(texts) : self._next]

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._asked += len(texts)
        return self._queries_QD[np.arange(self._asked - len(texts), self._asked) % len(self._queries_QD)]


class SpokenVectors(GivenVectors):
    """Passages as given, queries by a real model: a question of usual length for each, always another one.

    The made-up words of the queries are no words to its tokenizer: eight of them would be 38 tokens.
    """

    def __init__(self, rows_VD: NDArray[np.float32], model: Embedder) -> None:
        super().__init__(rows_VD)
        self._model = model

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._asked += len(texts)
        return self._model.embed_queries(questions(str(self._asked), len(texts)))
