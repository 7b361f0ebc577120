"""Where a graph searches: a corpus of the store, or any `Searcher` of the caller's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from agents.tools import Searcher
from karl.api.results import Citation
from store import queries
from store.errors import UsageError
from store.models import Chunk
from store.search_filter import Where
from store.search_servers import SearchServers
from store.session import Store
from store.types import Hit
from store.vectors.base import VectorIndex
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index


class Source(Protocol):
    """Passages, by search and by name."""

    @property
    def searcher(self) -> Searcher | None: ...

    def citations(self, ids: Iterable[int], *, seen: Mapping[int, Hit]) -> dict[int, Citation]:
        """Chunk id -> citation, without ids that stand for nothing any more; `seen`: what the rollout was shown."""
        ...

    def seeds(self, wanted: Any, *, seed: int) -> list[Hit]:
        """The passages of a generator's `seeds`. Raises: UsageError."""
        ...


class SharedSearcher:
    """One index, one `AsyncSearcher` for each event loop: batches can't wait across loops."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncSearcher] = WeakKeyDictionary()

    async def search(self, query: str, k: int, where: Where | None = None) -> list[Hit]:
        loop = asyncio.get_running_loop()
        searcher = self._by_loop.get(loop)
        if searcher is None:
            searcher = self._by_loop[loop] = AsyncSearcher(self._index, owned=False)
        return await searcher.search(query, k, where)

    @property
    def mean_chars(self) -> float:
        """Of a chunk: a token budget is divided by it."""
        return self._index.mean_chars

    def close(self) -> None:
        """Of all loops, and of the index."""
        for searcher in self._by_loop.values():
            searcher.close()
        self._index.close()


class CorpusSource:
    """A named corpus. Raises: UsageError for an unknown one; KarlError when its index can't be opened."""

    def __init__(self, store: Store, corpus: str, *, home: Path, servers: SearchServers | None = None) -> None:
        with store.session() as session:
            row = queries.corpus_by_name(session, corpus)
        assert row.id is not None
        self.corpus, self.corpus_id = corpus, row.id
        self._store = store
        self.searcher = SharedSearcher(open_index(store, corpus, home=home, servers=servers))

    def citations(self, ids: Iterable[int], *, seen: Mapping[int, Hit]) -> dict[int, Citation]:
        return stored_citations(self._store, ids)

    def seeds(self, wanted: Any, *, seed: int) -> list[Hit]:
        """Hits, chunk ids and chunk keys as they are given; a number: so many at random; None: one."""
        with self._store.session() as session:
            if isinstance(wanted, int) or wanted is None:
                chunks = list(queries.corpus_chunks(session, self.corpus_id))
                count = min(1 if wanted is None else wanted, len(chunks))
                return [_hit(chunk) for chunk in random.Random(f"{seed}:seeds").sample(chunks, count)]
            return [self._seed(session, item) for item in _listed(wanted)]

    def _seed(self, session: Any, item: Any) -> Hit:
        match item:
            case Hit():
                return item
            case str():
                return _hit(queries.chunk_by_key(session, self.corpus_id, key=item))
            case int() if found := queries.chunks_by_id(session, [item]).get(item):
                return _hit(found)
        raise UsageError(f"inputs: key 'seeds': corpus {self.corpus!r} has no chunk {item!r}; give keys, ids or hits")


class SearcherSource:
    """The caller's own searcher, or none: what can be cited is what was shown."""

    def __init__(self, searcher: Searcher | None) -> None:
        self.searcher = searcher

    def citations(self, ids: Iterable[int], *, seen: Mapping[int, Hit]) -> dict[int, Citation]:
        return {id_: _cited(id_, seen[id_]) for id_ in ids if id_ in seen}

    def seeds(self, wanted: Any, *, seed: int) -> list[Hit]:
        """Hits only: nobody else knows what stands behind an id."""
        items = _listed(wanted if wanted is not None else ())
        if not items or not all(isinstance(item, Hit) for item in items):
            raise UsageError("inputs: key 'seeds': without a named corpus give a list of store.types.Hit")
        return items


def stored_citations(store: Store, ids: Iterable[int]) -> dict[int, Citation]:
    """From the chunks of the store."""
    with store.session() as session:
        return {id_: _cited(id_, chunk) for id_, chunk in queries.chunks_by_id(session, ids).items()}


def _listed(wanted: Any) -> list[Any]:
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise UsageError(f"inputs: key 'seeds': expected a list, got {wanted!r}")
    return list(wanted)


def _cited(id_: int, passage: Hit | Chunk) -> Citation:
    # A key is "<document path>#<ordinal>".
    document = passage.key.rpartition("#")[0] or passage.key
    return Citation(id_, passage.key, passage.title, passage.page, passage.text, document)


def _hit(chunk: Chunk) -> Hit:
    assert chunk.id is not None
    return Hit(chunk_id=chunk.id, key=chunk.key, title=chunk.title, text=chunk.text, score=0.0, page=chunk.page)
