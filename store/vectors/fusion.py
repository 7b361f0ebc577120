"""One ranking of two, as a corpus's weights say; all indexes fuse alike."""

from __future__ import annotations

from store.corpus_settings import FusionWeights
from store.vectors.ranking import Ranking, blend, fuse

DEPTH = 100  # candidates that each ranking hands to the fusion, or 5 k if that is more


def depth_for(k: int) -> int:
    return max(DEPTH, 5 * k)


def fused(bm25: Ranking, dense: Ranking, *, weights: FusionWeights, k: int) -> Ranking:
    """Of rankings with `depth_for(k)` candidates each."""
    both = [(weights.bm25, bm25), (weights.dense, dense)]
    if weights.by == "ranks":
        return fuse(both, k=k, constant=weights.constant)
    return blend(both, k=k, depth=depth_for(k))
