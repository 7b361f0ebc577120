"""The line from a rank to the process that launched it: the rank asks, the parent answers, in pickles.

Both ends prove by a key, which only the parent hands out, that they belong together, before anything is unpickled.
"""

from __future__ import annotations

import os
import queue
import threading
import traceback
from multiprocessing.connection import Client
from typing import Any, NamedTuple, Self

from store.errors import CollapseError, KarlError, UsageError

ORPHANED = 3  # exit status of a rank whose parent is gone


class Address(NamedTuple):
    """Where the parent listens."""

    host: str
    port: int
    key: str

    def __str__(self) -> str:
        return f"{self.host} {self.port} {self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        host, port, key = text.split()
        return cls(host, int(port), key)


KNOWN = {kind.__name__: kind for kind in (UsageError, CollapseError, KarlError)}


class Failure(NamedTuple):
    """An exception of rank `rank`, as text: its type may be unknown to the parent, or not survive pickling."""

    rank: int
    kind: str
    text: str
    known: str  # which of `KNOWN` it is, the most exact; empty: none
    trace: str

    @classmethod
    def of(cls, exc: BaseException, *, rank: int) -> Self:
        trace = "".join(traceback.format_exception(exc))
        known = next((name for name, kind in KNOWN.items() if isinstance(exc, kind)), "")
        return cls(rank, type(exc).__name__, str(exc), known=known, trace=trace)

    def error(self) -> KarlError:
        """What the parent raises; the rank's traceback is its cause."""
        unknown = KarlError(f"rank {self.rank}: {self.kind}: {self.text}")
        error = KNOWN[self.known](self.text) if self.known else unknown
        error.__cause__ = RankTraceback(f"\n{self.trace}")
        return error


class RankTraceback(Exception):
    """Shows the traceback of another process as the cause of an error of this one."""


class HookFailed(Exception):
    """The parent's own hook raised; the parent knows what."""


class Line:
    """A rank's end. When the parent is gone the process ends at once: nobody could stop it any more."""

    def __init__(self, address: Address) -> None:
        self._connection = Client((address.host, address.port), authkey=bytes.fromhex(address.key))
        self._answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, name: str, *arguments: Any) -> Any:
        """Raises: HookFailed."""
        with self._lock:
            self._connection.send((name, *arguments))
            fine, answer = self._answers.get()
        if not fine:
            raise HookFailed(answer)
        return answer

    def close(self) -> None:
        self._closed = True
        self._connection.close()

    def _listen(self) -> None:
        while True:
            try:
                self._answers.put(self._connection.recv())
            except (EOFError, OSError):
                if not self._closed:
                    os._exit(ORPHANED)
                return
