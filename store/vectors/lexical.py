"""BM25: bm25s builds the score matrix once; a query adds up a few of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from store.jsonfile import read_json, write_json
from store.vectors.ranking import Ranking, top
from store.vectors.tokens import tokens


class TokenizedDocs(NamedTuple):
    """ids int32, all documents' word numbers one after the other; ends int64 N, where each document ends."""

    words: list[str]
    ids: NDArray[np.int32]
    ends_N: NDArray[np.int64]

    @classmethod
    def of(cls, docs: Sequence[str]) -> Self:
        vocabulary: dict[str, int] = {}
        flat: list[int] = []
        ends: list[int] = []
        for doc in docs:
            flat.extend(vocabulary.setdefault(word, len(vocabulary)) for word in tokens(doc))
            ends.append(len(flat))
        return cls(list(vocabulary), np.asarray(flat, dtype=np.int32), np.asarray(ends, dtype=np.int64))

    def docs(self) -> list[list[int]]:
        starts = [0, *self.ends_N[:-1].tolist()]
        return [self.ids[start:end].tolist() for start, end in zip(starts, self.ends_N.tolist(), strict=True)]


class Bm25:
    """Lucene's BM25 (k1 1.5, b 0.75) as a sparse matrix of words x documents."""

    def __init__(
        self,
        words: list[str],
        *,
        data: NDArray[np.float32],
        docs: NDArray[np.int32],
        starts: NDArray[np.int64],
        size: int,
    ) -> None:
        self.words, self.data, self.docs, self.starts, self.size = words, data, docs, starts, size
        self._numbers = {word: number for number, word in enumerate(words)}
        self._bounds = starts.tolist()  # Python ints: slicing by numpy scalars is five times slower

    @classmethod
    def build(cls, tokenized: TokenizedDocs) -> Self:
        """Documents without any word are never found; neither is anything in a corpus without words."""
        size = len(tokenized.ends_N)
        if not tokenized.words:
            return cls([], data=np.zeros(0, "f4"), docs=np.zeros(0, "i4"), starts=np.zeros(1, "i8"), size=size)
        from bm25s import BM25

        ranker = BM25(method="lucene", k1=1.5, b=0.75)
        built = ranker.build_index_from_ids(list(range(len(tokenized.words))), tokenized.docs(), show_progress=False)
        return cls(
            tokenized.words,
            data=np.asarray(built["data"], dtype=np.float32),
            docs=np.asarray(built["indices"], dtype=np.int32),
            starts=np.asarray(built["indptr"], dtype=np.int64),
            size=size,
        )

    def scores(self, query: str) -> NDArray[np.float32]:
        """N scores; 0 where no word matches."""
        total_N = np.zeros(self.size, dtype=np.float32)
        for word in tokens(query):
            number = self._numbers.get(word)
            if number is not None:
                start, end = self._bounds[number], self._bounds[number + 1]
                # A document stands at most once in a column, so a plain indexed addition is right.
                total_N[self.docs[start:end]] += self.data[start:end]
        return total_N

    def rank(self, query: str, *, k: int) -> Ranking:
        scores_N = self.scores(query)
        found = np.flatnonzero(scores_N)
        return top(found, scores_N[found], k=k)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, array in (("data", self.data), ("docs", self.docs), ("starts", self.starts)):
            np.save(folder / f"{name}.npy", array)
        write_json(folder / "words.json", {"words": self.words, "size": self.size})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises: OSError, ValueError or KeyError for files that are not there or damaged."""
        arrays = {name: np.load(folder / f"{name}.npy") for name in ("data", "docs", "starts")}
        words = read_json(folder / "words.json")
        return cls(words["words"], **arrays, size=words["size"])
