"""What all embedders share: passages through the cache on disk, shortest first; recent queries in memory."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.vectors.base import IndexProgress, Progress
from store.vectors.embedding_cache import EmbeddingCache

SAVED_AT_ONCE = 256  # passages a write of the cache: what an interruption costs at most
READ_AT_ONCE = 4096
QUERIES_KEPT = 4096


class CachingEmbedder(ABC):
    """Safe across threads: one lock around model and cache. A killed run's passages are there when it is run again.

    The cache is the model's, not a corpus's: what two corpora have in common is embedded once.
    """

    def __init__(self, name: str, *, fingerprint: str, home: Path) -> None:
        self.name, self.fingerprint = name, fingerprint
        self._home = home
        self._lock = threading.RLock()
        self._cache: EmbeddingCache | None = None
        self._queries: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @abstractmethod
    def _encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N x D of at most SAVED_AT_ONCE texts of about one length."""

    @abstractmethod
    def _encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N x D."""

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]:
        """N x D; only passages that the cache lacks are computed. Beside the result, memory holds one slice of them."""
        with self._lock:
            cache = self._open_cache()
            digests = [hashlib.sha256(text.encode()).digest() for text in texts]
            known = cache.known(digests)
            missing = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
            _report(progress, done=len(texts) - len(missing), total=len(texts))
            self._compute(cache, missing, progress=progress, total=len(texts))
            return _rows(cache, digests)

    def _compute(
        self, cache: EmbeddingCache, missing: dict[bytes, str], *, progress: Progress | None, total: int
    ) -> None:
        # By length: passages of one batch are padded to its longest.
        queue = sorted(missing.items(), key=lambda item: len(item[1]))
        for start in range(0, len(queue), SAVED_AT_ONCE):
            part = queue[start : start + SAVED_AT_ONCE]
            rows = self._finite(self._encode_passages([text for _, text in part]))
            cache.put(dict(zip((digest for digest, _ in part), rows, strict=True)))
            _report(progress, done=total - len(queue) + start + len(part), total=total)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N x D; the most recent queries are kept in memory."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._queries]
            if missing:
                self._queries.update(zip(missing, self._finite(self._encode_queries(missing)), strict=True))
            rows = np.stack([self._queries[text] for text in texts])
            for text in texts:
                self._queries.move_to_end(text)
            while len(self._queries) > QUERIES_KEPT:
                self._queries.popitem(last=False)
            return rows

    def _finite(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raises: KarlError: an index with a NaN in it finds nothing, and does not say why."""
        if not np.isfinite(rows).all():
            raise KarlError(f"embedder {self.name!r} gave a vector that is not finite; try [embedding] dtype float32")
        return rows

    def _open_cache(self) -> EmbeddingCache:
        if self._cache is None:
            self._cache = EmbeddingCache(self._home / "cache" / "embeddings" / f"{self.fingerprint[:16]}.db")
        return self._cache


def _rows(cache: EmbeddingCache, digests: Sequence[bytes]) -> NDArray[np.float32]:
    first = cache.get(digests[:1])
    rows_ND = np.empty((len(digests), first[digests[0]].size if digests else 0), dtype=np.float32)
    for start in range(0, len(digests), READ_AT_ONCE):
        part = digests[start : start + READ_AT_ONCE]
        found = cache.get(part)
        if any(found[digest].size != rows_ND.shape[1] for digest in part):
            raise KarlError(f"{cache.path}: holds vectors of several lengths; delete the file and run again")
        rows_ND[start : start + len(part)] = [found[digest] for digest in part]
    return rows_ND


def _report(progress: Progress | None, *, done: int, total: int) -> None:
    if progress:
        progress(IndexProgress(done, total))
