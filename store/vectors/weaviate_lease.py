"""What a writer holds on Weaviate: renewed by a thread while it lives, looked at before each write.

A thread, because embedding a batch takes longer than a lease should last. A process that stalls stalls its thread too;
when it goes on, the next look finds the lease run out, and asks the server whether another has followed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeVar

from store.errors import KarlError
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_schema import count_lock

if TYPE_CHECKING:
    from weaviate import WeaviateClient

ResultT = TypeVar("ResultT")
RENEWED = 3  # times in a lease
SAFE = 2 / 3  # of a lease: the rest is for the write that is under way


class Lost(KarlError):
    """Another process may be writing: not one more write from this one."""


class Lease:
    """Safe across threads. started: before the lock was asked for, so that who waits never counts less than we do."""

    def __init__(
        self, link: WeaviateLink, name: str, following: str, *, corpus: str, token: str, started: float
    ) -> None:
        self._link, self._name, self._corpus, self._token = link, name, corpus, token
        self._following = following
        self._seconds = link.settings.lease_seconds
        self._until = started + SAFE * self._seconds
        self._beat, self._lost = 0, False
        self._renewing, self._done = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="karl-weaviate-lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def call(self, action: Callable[[WeaviateClient], ResultT]) -> ResultT:
        """`link.call` of a write: no try of it begins without the lock. Raises: KarlError."""

        def guarded(client: WeaviateClient) -> ResultT:
            self.check()
            return action(client)

        return self._link.call(guarded)

    def check(self) -> None:
        """Raises: Lost where another process writes; KarlError where the server does not say."""
        if self._lost:
            raise self._explained()
        if time.monotonic() >= self._until:
            self.renew()

    def renew(self) -> None:
        """Count, then look whether another followed, who counts us first and looks at the count then: of two that
        meet, one sees the other. Raises: Lost; KarlError.
        """
        with self._renewing:
            started = time.monotonic()
            if not self._counted() or self._is_followed():
                self._lost = True
                raise self._explained()
            self._until = started + SAFE * self._seconds

    def release(self) -> None:
        """Remove the lock, unless it is another's by now or may be: then it runs out by itself."""
        self._done.set()
        self._thread.join(self._link.settings.connect_seconds)
        if not self._lost and time.monotonic() < self._until:
            # Where the server is away the lock runs out too, and what the block raised goes before.
            with suppress(KarlError):
                self._link.drop_collection(self._name)

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / RENEWED):
            try:
                self.renew()
            except Lost:
                return
            except KarlError:
                continue  # the server is away for now; the next write asks it again, and says so

    def _counted(self) -> bool:
        self._beat += 1
        try:
            self._link.call(lambda client: count_lock(client, self._name, token=self._token, beat=self._beat))
        except KarlError:
            if self._token in self._link.descriptions().get(self._name, ""):
                raise
            return False
        return True

    def _is_followed(self) -> bool:
        return self._link.call(lambda client: client.collections.exists(self._following))

    def _explained(self) -> Lost:
        return Lost(
            f"Weaviate at {self._link.settings.url}: this process no longer holds the lock of corpus {self._corpus!r}: "
            f"it was silent for longer than [weaviate] lease_seconds ({self._seconds:g} s) and another took over, or "
            "somebody removed it; nothing more was written: run `karl ingest` again"
        )
