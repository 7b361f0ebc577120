"""One writer of a corpus on a Weaviate server at a time, from whatever machine: a lock that the server holds.

Inserting an object tests nothing there: the server looks for its id and then writes, so of two that insert at once
both are told that they did. Making a collection does: definitions go through the cluster's one log, which refuses the
second.
So a lock is a small collection, `PREFIX_lock_DIGEST_NUMBER`. Its description says who holds it; its one object counts
renewals. A writer that is silent for a whole lease, by the clock of who waits, is followed by one that makes the next
number: of several only one can, and what it saw must still stand when it has. Searching takes no lock.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from store.errors import KarlError
from store.vectors.weaviate_lease import Lease
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_schema import begin_lock, create_lock, lock_beat

POLL_SECONDS = 1.0


class Holder(BaseModel, frozen=True, extra="ignore"):
    """What a lock's description says. token: of this writer alone, and the id of the object that counts."""

    corpus: str
    writer: str
    token: str
    lease_seconds: float


class Standing(NamedTuple):
    """The newest lock of a corpus; beat: how often it was renewed, None before its object is there."""

    number: int
    holder: Holder | None
    beat: int | None


@contextmanager
def corpus_lock(link: WeaviateLink, corpus: str, *, wait_seconds: float) -> Iterator[Lease]:
    """Hold the corpus's lock inside the block; every write goes through the lease.

    Raises: KarlError that names the writer if it is not done in time; what the server answers.
    """
    with _Locks(link, corpus).acquired(wait_seconds) as lease:
        yield lease


def lock_stem(corpus: str, *, prefix: str) -> str:
    """How the names of a corpus's locks begin."""
    return f"{prefix}_lock_{hashlib.sha256(corpus.encode()).hexdigest()[:10]}_"


class _Locks:
    """Of one corpus, as one writer sees them."""

    def __init__(self, link: WeaviateLink, corpus: str) -> None:
        self._link, self._corpus = link, corpus
        self._stem = lock_stem(corpus, prefix=link.settings.collection)
        self._seconds = link.settings.lease_seconds
        self._me = Holder(
            corpus=corpus,
            writer=f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
            token=str(uuid4()),
            lease_seconds=self._seconds,
        )

    def acquired(self, wait_seconds: float) -> Lease:
        until = time.monotonic() + wait_seconds
        seen, since = None, 0.0
        while True:
            standing = self._newest()
            if standing != seen or standing is None:
                seen, since = standing, time.monotonic()
            silent = time.monotonic() - since
            if (standing is None or silent > _patience(standing, self._seconds)) and (lease := self._claim(standing)):
                return lease
            if time.monotonic() >= until and standing is not None:
                raise self._taken(standing)
            time.sleep(min(POLL_SECONDS, self._seconds / 20))

    def _claim(self, after: Standing | None) -> Lease | None:
        """None where another was faster, or what was seen stands no more: whoever is silent may have come back."""
        number, started = after.number + 1 if after else 1, time.monotonic()
        name = f"{self._stem}{number}"
        if not self._create(name):
            return None
        try:
            self._link.call(lambda client: begin_lock(client, name, token=self._me.token))
            if self._stands(number, after):
                self._drop_below(number)
                following = f"{self._stem}{number + 1}"
                return Lease(self._link, name, following, corpus=self._corpus, token=self._me.token, started=started)
        except BaseException:
            with suppress(KarlError):  # where the server is away it runs out
                self._link.drop_collection(name)
            raise
        self._link.drop_collection(name)
        return None

    def _drop_below(self, number: int) -> None:
        for lower in self._held():
            if lower < number:
                self._link.drop_collection(f"{self._stem}{lower}")

    def _create(self, name: str) -> bool:
        """Whether the collection is ours. One that is ours already was made by a request whose answer was lost."""
        try:
            self._link.call(lambda client: create_lock(client, name, description=self._me.model_dump_json()))
        except KarlError:
            found = self._link.descriptions().get(name)
            if found is None:
                raise
            return found == self._me.model_dump_json()
        return True

    def _stands(self, number: int, after: Standing | None) -> bool:
        """Asked once ours is there: it is the newest, and the one before is as it was seen, as silent as it was."""
        held = self._held()
        if max(held, default=0) != number or held[number] != self._me:
            return False
        if after is None:
            return len(held) == 1
        same = after.number in held and held[after.number] == after.holder
        return same and self._beat(after.number, after.holder) == after.beat

    def _newest(self) -> Standing | None:
        held = self._held()
        if not held:
            return None
        number = max(held)
        return Standing(number, held[number], self._beat(number, held[number]))

    def _held(self) -> dict[int, Holder | None]:
        """Number -> who holds it; None where the description is not ours to read."""
        found = self._link.descriptions()
        numbers = {name: name.removeprefix(self._stem) for name in found if name.startswith(self._stem)}
        return {int(number): _holder(found[name]) for name, number in numbers.items() if number.isdecimal()}

    def _beat(self, number: int, holder: Holder | None) -> int | None:
        name = f"{self._stem}{number}"
        try:
            return self._link.call(lambda client: lock_beat(client, name, token=holder.token)) if holder else None
        except KarlError:
            if name in self._link.descriptions():
                raise
            return None  # released meanwhile

    def _taken(self, standing: Standing) -> KarlError:
        whose = standing.holder.writer if standing.holder else "another process"
        return KarlError(
            f"Weaviate at {self._link.settings.url}: the index of corpus {self._corpus!r} is being written by {whose}; "
            f"wait for it or stop it (one that was killed is followed after {_patience(standing, self._seconds):g} s)"
        )


def _patience(standing: Standing, usual: float) -> float:
    return standing.holder.lease_seconds if standing.holder else usual


def _holder(description: str) -> Holder | None:
    try:
        return Holder.model_validate_json(description)
    except ValidationError:
        return None
