"""Vectors on disk by the hash of their text: a re-ingestion embeds only what is new. Safe to delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.queries.common import slices


class EmbeddingCache:
    """One file a model. float32, little-endian."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS vector (sha256 BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID"
            )
        except (OSError, sqlite3.DatabaseError) as exc:
            raise KarlError(
                f"{path}: cannot open the cache of embeddings: {exc}; delete the file and run again"
            ) from exc

    def get(self, digests: Iterable[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Those that are there."""
        found: dict[bytes, NDArray[np.float32]] = {}
        for part in slices(dict.fromkeys(digests)):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(f"SELECT sha256, data FROM vector WHERE sha256 IN ({marks})", part)
            found.update((digest, np.frombuffer(data, dtype="<f4")) for digest, data in rows)
        return found

    def put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """One transaction."""
        rows = [(digest, np.asarray(vector, dtype="<f4").tobytes()) for digest, vector in vectors.items()]
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?)", rows)

    def close(self) -> None:
        self._db.close()
