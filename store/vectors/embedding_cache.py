"""Vectors on disk by the hash of their text: a re-ingestion embeds only what is new. Safe to delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.queries.common import slices


class EmbeddingCache:
    """One file a model, for all corpora and processes; float32, little-endian. Raises: KarlError naming the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._typed("open"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS vector (sha256 BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID"
            )

    def known(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those that are there, without their vectors."""
        with self._typed("read"):
            return {digest for (digest,) in self._select("sha256", digests)}

    def get(self, digests: Iterable[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Those that are there."""
        with self._typed("read"):
            rows = self._select("sha256, data", digests)
            return {digest: np.frombuffer(data, dtype="<f4") for digest, data in rows}

    def put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """One transaction."""
        rows = [(digest, np.asarray(vector, dtype="<f4").tobytes()) for digest, vector in vectors.items()]
        with self._typed("write"), self._db:
            self._db.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?)", rows)

    def close(self) -> None:
        self._db.close()

    def _select(self, columns: str, digests: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
        for part in slices(dict.fromkeys(digests)):
            marks = ",".join("?" * len(part))
            yield from self._db.execute(f"SELECT {columns} FROM vector WHERE sha256 IN ({marks})", part)

    @contextmanager
    def _typed(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, sqlite3.Error) as exc:
            mend = "free the disk" if "full" in str(exc) else "delete the file and run again"
            raise KarlError(f"{self.path}: cannot {verb} the cache of embeddings: {exc}; {mend}") from exc
