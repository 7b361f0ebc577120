"""The objects of one corpus on the server: written, counted, listed, deleted. Every write may be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.vectors.weaviate_lease import Lease
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_schema import VECTOR, Place, drop, object_id, prepare

if TYPE_CHECKING:
    from weaviate import WeaviateClient
    from weaviate.collections import Collection

ResultT = TypeVar("ResultT")
LISTED_AT_ONCE = 2_000
DELETED_AT_ONCE = 500  # chunks: a server deletes 10,000 objects a request at most


class Passage(NamedTuple):
    """words: none of a chunk's opening; vector D, or None without an embedder."""

    chunk_id: int
    passage: int
    passages: int
    digest: str
    words: str
    vector: NDArray[np.float32] | None

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = {"chunk": self.chunk_id, "passage": self.passage, "passages": self.passages}
        return found | {"digest": self.digest} | ({"words": self.words} if self.words else {})


class Shelf:
    """lease: of who writes; without one it is read only. Raises: KarlError."""

    def __init__(self, link: WeaviateLink, place: Place, lease: Lease | None = None) -> None:
        self.link, self.place, self._lease = link, place, lease

    def _write(self, action: Callable[[WeaviateClient], ResultT]) -> ResultT:
        assert self._lease is not None, "nobody writes without the corpus's lock"
        return self._lease.call(action)

    def collection(self, client: WeaviateClient) -> Collection[Any, Any]:
        return client.collections.use(self.place.collection).with_tenant(self.place.tenant)

    def prepare(self) -> None:
        self._write(lambda client: prepare(client, self.place))

    def clear(self) -> None:
        """Remove the tenant with all that it holds."""
        self._write(lambda client: drop(client, self.place))

    def count(self) -> int:
        """Objects, as the server counts them."""
        found = self.link.call(lambda client: self.collection(client).aggregate.over_all(total_count=True))
        return found.total_count or 0

    def held(self) -> Iterator[tuple[int, int, int, str]]:
        """(chunk id, passage, passages, digest) of every object."""
        after: Any = None
        keys = ["chunk", "passage", "passages", "digest"]
        while found := self._page(after, keys):
            yield from ((int(o["chunk"]), int(o["passage"]), int(o["passages"]), str(o["digest"])) for _, o in found)
            after = found[-1][0]

    def _page(self, after: Any, keys: list[str]) -> list[tuple[Any, Any]]:
        found = self.link.call(
            lambda client: self.collection(client).query.fetch_objects(
                limit=LISTED_AT_ONCE, after=after, return_properties=keys
            )
        )
        return [(one.uuid, one.properties) for one in found.objects]

    def write(self, passages: Sequence[Passage]) -> None:
        """Objects that the server refuses are sent again, then reported one by one."""
        left, problems = list(passages), dict[int, str]()
        for _ in range(self.link.settings.retries + 1):
            problems = self._insert(left)
            if not problems:
                return
            left = [left[index] for index in sorted(problems)]
        shown = "; ".join(
            f"chunk {left[n].chunk_id} passage {left[n].passage}: {reason}"
            for n, reason in enumerate([problems[index] for index in sorted(problems)][:3])
        )
        raise KarlError(
            f"Weaviate at {self.link.settings.url} refused {len(left)} of {len(passages)} objects of "
            f"{self.place.tenant} in {self.place.collection}: {shown}; what it took stays: "
            "mend the cause and run `karl ingest` again"
        )

    def _insert(self, passages: Sequence[Passage]) -> dict[int, str]:
        """Index -> why it was refused."""
        from weaviate.classes.data import DataObject
        from weaviate.exceptions import WeaviateInsertManyAllFailedError

        objects = [
            DataObject(
                uuid=object_id(self.place, one.chunk_id, one.passage),
                properties=one.properties,
                vector=None if one.vector is None else {VECTOR: one.vector.tolist()},
            )
            for one in passages
        ]
        try:
            report = self._write(lambda client: self.collection(client).data.insert_many(objects))
        except KarlError as exc:
            if isinstance(exc.__cause__, WeaviateInsertManyAllFailedError):
                return dict.fromkeys(range(len(passages)), exc.__cause__.message.rpartition("errors: ")[2])
            raise
        return {index: error.message for index, error in report.errors.items()}

    def delete(self, chunk_ids: Iterable[int]) -> None:
        """Of all their passages; unknown ids are ignored."""
        ids = list(chunk_ids)
        for start in range(0, len(ids), DELETED_AT_ONCE):
            self._delete_where(ids[start : start + DELETED_AT_ONCE], from_passage=0)

    def delete_beyond(self, chunk_id: int, *, passages: int) -> None:
        """What a longer version of the chunk left behind."""
        self._delete_where([chunk_id], from_passage=passages)

    def _delete_where(self, ids: Sequence[int], *, from_passage: int) -> None:
        from weaviate.classes.query import Filter

        where = Filter.by_property("chunk").contains_any(list(ids))
        if from_passage:
            where = where & Filter.by_property("passage").greater_or_equal(from_passage)
        while True:
            done = self._write(lambda client: self.collection(client).data.delete_many(where))
            if done.failed:
                raise KarlError(f"Weaviate could not delete {done.failed} of {done.matches} objects; run it again")
            if done.successful == 0:
                return
