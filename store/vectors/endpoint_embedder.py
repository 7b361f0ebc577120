"""An OpenAI-compatible embeddings endpoint (vLLM, TEI, hosted): batches side by side, tried again, read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.search_servers import EmbeddingConventions, EmbeddingSettings
from store.vectors.caching_embedder import CachingEmbedder
from store.vectors.conventions import prefixes_of
from store.vectors.embedders import ENDPOINT, fingerprint_of
from store.vectors.embedding_endpoint import EmbeddingEndpoint


class EndpointEmbedder(CachingEmbedder):
    """name: `endpoint:` and what the server calls the model. Raises: UsageError without a base_url.

    The URL is not part of the fingerprint: a model that moves to another server keeps its vectors.
    """

    def __init__(
        self, name: str, *, conventions: EmbeddingConventions, settings: EmbeddingSettings, home: Path
    ) -> None:
        model = name.removeprefix(ENDPOINT)
        self.prefixes = prefixes_of(model, conventions)
        fingerprint = fingerprint_of(name, conventions=conventions, passage_prefix=self.prefixes.passage)
        super().__init__(name, fingerprint=fingerprint, home=home)
        self._conventions, self._settings = conventions, settings
        self._endpoint = EmbeddingEndpoint(model, settings=settings, keys=_keys(conventions))
        self._dimensions = conventions.dimensions
        self._threads = ThreadPoolExecutor(max_workers=settings.concurrency, thread_name_prefix="karl-embed")

    def _encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encode([f"{self.prefixes.passage}{text}" for text in texts])

    def _encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encode([f"{self.prefixes.query}{text}" for text in texts])

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        size = self._settings.batch_size
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        rows_ND = np.concatenate(list(self._threads.map(self._endpoint.embed, batches)))
        self._check(self._finite(rows_ND).shape[1])
        if not self._conventions.normalize:
            return rows_ND
        lengths_N1 = np.linalg.norm(rows_ND, axis=1, keepdims=True)
        return np.asarray(rows_ND / np.where(lengths_N1 == 0, 1, lengths_N1), dtype=np.float32)

    def _check(self, dimensions: int) -> None:
        """Raises: KarlError when the server has another model than before under the same name."""
        self._dimensions = self._dimensions or dimensions
        if dimensions != self._dimensions:
            raise KarlError(
                f"{self._endpoint.url}: {self.name!r} answered {dimensions} numbers a text, expected "
                f"{self._dimensions}; correct [embedding] dimensions, or serve the model that the corpus was made with"
            )


def _keys(conventions: EmbeddingConventions) -> dict[str, Any]:
    """`dimensions` is OpenAI's; `truncate_prompt_tokens` vLLM's."""
    asked = {"dimensions": conventions.dimensions, "truncate_prompt_tokens": conventions.max_tokens}
    return {key: value for key, value in asked.items() if value is not None}
