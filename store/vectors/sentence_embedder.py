"""sentence-transformers models, loaded when first needed, with what each wants before queries and passages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from store.errors import UsageError
from store.search_servers import EmbeddingConventions, EmbeddingSettings
from store.vectors.caching_embedder import CachingEmbedder
from store.vectors.conventions import prefixes_of
from store.vectors.embedders import fingerprint_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceEmbedder(CachingEmbedder):
    """Safe across threads: one lock around the model. Raises: UsageError when it cannot be loaded."""

    def __init__(
        self,
        name: str,
        *,
        location: str,
        home: Path,
        conventions: EmbeddingConventions | None = None,
        settings: EmbeddingSettings | None = None,
    ) -> None:
        self._location = location
        self._conventions, self._settings = conventions or EmbeddingConventions(), settings or EmbeddingSettings()
        self.prefixes = prefixes_of(location, self._conventions)
        fingerprint = fingerprint_of(location, conventions=self._conventions, passage_prefix=self.prefixes.passage)
        super().__init__(name, fingerprint=fingerprint, home=home)
        self._model: SentenceTransformer | None = None

    def _encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encode(texts, prefix=self.prefixes.passage)

    def _encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encode(texts, prefix=self.prefixes.query)

    def _encode(self, texts: Sequence[str], *, prefix: str) -> NDArray[np.float32]:
        if self._model is None:
            self._model = self._load()
        rows = self._model.encode(
            list(texts),
            prompt=prefix,  # an empty one also keeps out the model's own default
            batch_size=self._settings.batch_size,
            normalize_embeddings=self._conventions.normalize,
            truncate_dim=self._conventions.dimensions,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(rows, dtype=np.float32)

    def _load(self) -> SentenceTransformer:
        model = load_model(self._location, name=self.name, settings=self._settings)
        if self._conventions.max_tokens is not None:
            model.max_seq_length = self._conventions.max_tokens
        return model


def load_model(location: str, *, name: str, settings: EmbeddingSettings) -> SentenceTransformer:
    """Raises: UsageError naming the model and the reason."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    bars_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # it would write over our own progress
    try:
        return SentenceTransformer(
            location,
            device=settings.device,
            trust_remote_code=settings.trust_remote_code,
            model_kwargs={"dtype": settings.dtype},
        )
    except (OSError, ValueError, ImportError, RuntimeError) as exc:
        reason = str(exc).splitlines()[0]
        raise UsageError(
            f"embedder {name!r}: cannot load {location}: {reason}; "
            "name a model or folder that exists, and check [embedding]"
        ) from exc
    finally:
        if bars_shown:
            logging.enable_progress_bar()
