"""Cells (IVF) of vectors: built in a fraction of a graph's time, for the very many."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.ann import TRAINING_ROWS, TURNS, Approximate, Places, Scores, load_faiss
from store.vectors.flat import nearest

PROBES = (8, 16, 32, 64, 128)
RECALL = 0.98  # of 20 nearest, on rows of its own: what the number of cells to look into is chosen for
SAMPLE = 200


class Cells(Approximate):
    kind = "ivf"

    def __init__(self, index: Any) -> None:
        super().__init__(index)
        self._mapping = threading.Lock()

    @classmethod
    def build(cls, rows_VD: NDArray[np.float32]) -> Self:
        faiss = load_faiss()
        size, dimensions = rows_VD.shape
        cells = 2 ** min(round(math.log2(4 * math.sqrt(size))), int(math.log2(size / TRAINING_ROWS)))
        half = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dimensions), dimensions, cells, half, faiss.METRIC_INNER_PRODUCT
        )
        index.by_residual = False  # a row decodes to itself, whatever the cells
        index.cp.niter = TURNS
        index.train(rows_VD[:: max(1, size // (TRAINING_ROWS * cells))])
        index.add(rows_VD)
        made = cls(index)
        index.nprobe = made._probes(rows_VD)
        return made

    def _probes(self, rows_VD: NDArray[np.float32]) -> int:
        """The fewest cells that find enough of what looking at every row finds, for rows of its own."""
        queries = rows_VD[:: max(1, len(rows_VD) // SAMPLE)][:SAMPLE]
        exact = nearest(queries, rows_VD, k=20)
        for probes in PROBES:
            self._index.nprobe = probes
            found = self._index.search(queries, 20)[1]
            if np.mean([len(np.intersect1d(a, b)) / 20 for a, b in zip(exact, found, strict=True)]) >= RECALL:
                return probes
        return PROBES[-1]

    def _near(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        return self._probed(queries_QD, wanted, selector, cells=self._index.nprobe)

    def _all(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        return self._probed(queries_QD, wanted, selector, cells=self._index.nlist)

    def _probed(
        self, queries_QD: NDArray[np.float32], wanted: int, selector: Any, *, cells: int
    ) -> tuple[Scores, Places]:
        parameters = load_faiss().SearchParametersIVF(nprobe=cells, sel=selector)
        return self._index.search(queries_QD, wanted, params=parameters)

    def rows(self) -> NDArray[np.float32]:
        self._map()
        return super().rows()

    def some(self, places_F: NDArray[np.int64]) -> NDArray[np.float32]:
        self._map()
        return super().some(places_F)

    def _map(self) -> None:
        """Where each row lies."""
        with self._mapping:
            if not self._index.direct_map.array.size():
                self._index.make_direct_map()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: RuntimeError for a file that is not there or damaged."""
        faiss = load_faiss()
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP))
