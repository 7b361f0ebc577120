"""Queries to a Weaviate server: nearest vectors, words, its own hybrid. Objects are passages, rankings have chunks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.ranking import Ranking
from store.vectors.tokens import tokens
from store.vectors.weaviate_shelf import Shelf

MOST = 10_000  # objects that a server returns at most, unless it is told otherwise
# Weaviate's own words: `(Result Set keyword,bm25) Document UUID: original score 2.1, normalized score: 0.3`
_PART = re.compile(
    r"Result Set (?P<set>keyword|vector)[^)]*\).*?original score (?P<raw>[-+.\de]+), "
    r"normalized score: (?P<part>[-+.\de]+)"
)


class HybridHit(NamedTuple):
    """parts: what each ranking adds to the score, and what it said; None where it did not find the chunk."""

    score: float
    dense: tuple[float, float] | None
    bm25: tuple[float, float] | None


def nearest(
    shelf: Shelf, vector_D: NDArray[np.float32], *, k: int, passages: float, among: Sequence[int] | None
) -> Ranking:
    """passages: the mean of a chunk, so that k chunks come out unless very long ones crowd them.

    among: ids of the only chunks to look at; None for all.
    """
    found = shelf.link.call(
        lambda client: shelf.collection(client).query.near_vector(
            vector_D.tolist(),
            limit=_objects_for(k, passages),
            filters=_only(among),
            return_metadata=["distance"],
            return_properties=["chunk"],
        )
    )
    # The distance is the inner product with its sign turned.
    return ranked(((_chunk(one), -(one.metadata.distance or 0.0)) for one in found.objects), k=k)


def with_words(shelf: Shelf, query: str, *, k: int, passages: float, among: Sequence[int] | None) -> Ranking:
    """passages, among: as for `nearest`."""
    words = " ".join(tokens(query))
    if not words:
        return Ranking.none()
    found = shelf.link.call(
        lambda client: shelf.collection(client).query.bm25(
            words,
            query_properties=["words"],
            limit=_objects_for(k, passages),
            filters=_only(among),
            return_metadata=["score"],
            return_properties=["chunk"],
        )
    )
    return ranked(((_chunk(one), one.metadata.score or 0.0) for one in found.objects), k=k)


def hybrid(
    shelf: Shelf,
    query: str,
    vector_D: NDArray[np.float32],
    *,
    k: int,
    alpha: float,
    passages: float,
    among: Sequence[int] | None,
) -> tuple[Ranking, dict[int, HybridHit]]:
    """By Weaviate's relative scores. A chunk's words and best vector may be two objects: their parts are added up."""
    from weaviate.classes.query import HybridFusion

    found = shelf.link.call(
        lambda client: shelf.collection(client).query.hybrid(
            " ".join(tokens(query)),
            vector=vector_D.tolist(),
            alpha=alpha,
            fusion_type=HybridFusion.RELATIVE_SCORE,
            query_properties=["words"],
            limit=_objects_for(k, passages),
            filters=_only(among),
            return_metadata=["score", "explain_score"],
            return_properties=["chunk"],
        )
    )
    hits: dict[int, HybridHit] = {}
    for one in found.objects:
        hit = explained_hit(one.metadata.score or 0.0, one.metadata.explain_score or "")
        hits[_chunk(one)] = _joined(hits.get(_chunk(one)), hit)
    return ranked(((chunk_id, hit.score) for chunk_id, hit in hits.items()), k=k), hits


def _only(among: Sequence[int] | None) -> Any:
    from weaviate.classes.query import Filter

    return None if among is None else Filter.by_property("chunk").contains_any(list(among))


def _objects_for(k: int, passages: float) -> int:
    return min(MOST, int(k * max(2.0, 2 * passages)))


def explained_hit(score: float, explanation: str) -> HybridHit:
    """An explanation that reads otherwise than we know leaves the score alone, without parts."""
    parts = {m["set"]: (float(m["part"]), float(m["raw"])) for m in _PART.finditer(explanation.replace("\n", " "))}
    return HybridHit(score, parts.get("vector"), parts.get("keyword"))


def ranked(scored: Iterable[tuple[int, float]], *, k: int) -> Ranking:
    """A chunk scores as its best passage; equal scores in the order of ids, whatever order the server gives them."""
    best: dict[int, float] = {}
    for chunk_id, score in scored:
        best[chunk_id] = max(score, best.get(chunk_id, score))
    order = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
    return Ranking(
        np.array([chunk_id for chunk_id, _ in order], dtype=np.int64),
        np.array([score for _, score in order], dtype=np.float32),
    )


def _joined(old: HybridHit | None, new: HybridHit) -> HybridHit:
    if old is None:
        return new
    dense = max((part for part in (old.dense, new.dense) if part), default=None)
    bm25 = max((part for part in (old.bm25, new.bm25) if part), default=None)
    added = (dense[0] if dense else 0.0) + (bm25[0] if bm25 else 0.0)
    return HybridHit(max(old.score, new.score, added), dense, bm25)


def _chunk(one: Any) -> int:
    return int(one.properties["chunk"])
