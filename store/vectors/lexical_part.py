"""One segment's words, as BM25 sees them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.postings import Postings

K1, B = 1.5, 0.75


class LexicalPart(NamedTuple):
    """A segment: ids_N ascending; dead_N: chunks that count no more; lost 2 x F: their words, in how many passages."""

    ids_N: NDArray[np.int64]
    postings: Postings
    dead_N: NDArray[np.bool_]
    lost: NDArray[np.int64]

    @property
    def plain(self) -> bool:
        """Whether every chunk is one passage."""
        return len(self.postings.owners_D) == len(self.ids_N)

    @property
    def dead_D(self) -> NDArray[np.bool_]:
        return self.dead_N[self.postings.owners_D]

    def norms(self, *, mean: float) -> NDArray[np.float32]:
        """D: what a count is weighed against; infinite for the dead, whose every score is then 0."""
        norms_D = np.asarray(K1 * (1 - B + B * self.postings.lengths_D / max(mean, 1e-9)), dtype=np.float32)
        norms_D[self.dead_D] = np.inf
        return norms_D
