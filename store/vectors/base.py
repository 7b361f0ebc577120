"""What an index of a corpus is: chunks in; ranked hits out. Embedded by default, servers by configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from store.corpus_settings import FusionWeights
from store.search_filter import SearchFilter
from store.types import Hit


class IndexEntry(NamedTuple):
    """One chunk to index: its row's id, and what is searched (title and text).

    metadata: `path` and `page`, and what the document says of itself; what a search may be restricted by.
    """

    chunk_id: int
    title: str
    text: str
    metadata: Mapping[str, str | int] = MappingProxyType({})


class IndexProgress(NamedTuple):
    """`done` of `total` passages are embedded, those from the cache included."""

    done: int
    total: int


class IndexStats(NamedTuple):
    """vectors may exceed chunks (long chunks have several); remote: on a server."""

    chunks: int
    vectors: int
    dimensions: int
    embedder: str
    kind: str
    remote: bool = False

    @property
    def instant(self) -> bool:
        """Whether a search takes microseconds, too short to be worth a thread."""
        return self.vectors == 0 and self.chunks <= 5_000 and not self.remote


Progress = Callable[[IndexProgress], None]


class VectorIndex(Protocol):
    """Deterministic: equal scores rank in the order of chunk ids. No query raises: an unknown word finds nothing."""

    def build(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """Replace the whole contents."""
        ...

    def add(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """Add chunks; those with an id that is there already replace it."""
        ...

    def delete(self, chunk_ids: Iterable[int]) -> IndexStats:
        """Remove chunks; unknown ids are ignored."""
        ...

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 20,
        fusion: FusionWeights | None = None,
        where: SearchFilter | None = None,
    ) -> list[list[Hit]]:
        """At most k hits a query, best first. fusion overrides the corpus's weights.

        where: hits are the best of the chunks that it lets through, however many others would rank above them.
        """
        ...

    def stats(self) -> IndexStats: ...

    def version(self) -> int:
        """Another number after the contents changed, by this object or by another process. Asked before each search."""
        ...

    @property
    def mean_chars(self) -> float:
        """Of a chunk's text: a token budget for passages is divided by it."""
        ...

    def close(self) -> None:
        """Let go of connections and threads, once nobody is searching; may be called again.

        Whoever opened the index closes it. What is asked of it after that opens them again.
        """
        ...
