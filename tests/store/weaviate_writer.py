"""A process that writes the corpus `notes` to a double: `python -m tests.store.weaviate_writer STORE SETTINGS`.

It says `embedding` once it holds the lock, and goes on when it reads a line. What went wrong is its last line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.queries.corpora import corpus_by_name
from store.search_servers import WeaviateSettings
from store.session import Store
from store.vectors.weaviate_opening import open_weaviate
from tests.store.test_vectors import HashEmbedder


class Waiting(HashEmbedder):
    def embed_passages(self, texts: Sequence[str], *, progress: object = None) -> NDArray[np.float32]:
        _say("embedding")
        sys.stdin.readline()
        return super().embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return super().embed_passages(texts)


def main(url: str, settings: str) -> None:
    store = Store.open(url)
    with store.session() as session:
        row = corpus_by_name(session, "notes")
    server = WeaviateSettings.model_validate(json.loads(settings))
    try:
        open_weaviate(store, row, settings=server, embedder=Waiting(), progress=None, rebuild=True).close()
        _say("written")
    except (KarlError, KeyboardInterrupt) as exc:
        _say(f"{type(exc).__name__}: {exc}")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
