"""Where the loop says how far it is. The loop knows the protocol only; the CLI brings the one that draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    def skip(self, count: int) -> None:
        """So many were done by an earlier start: they count as done, but say nothing of how fast it goes."""
        ...

    def advance(self, count: int = 1, note: str = "", total: int | None = None) -> None: ...

    def reach(self, done: int, total: int) -> None: ...

    def under_way(self, count: int) -> None:
        """How many rollouts go on at once."""
        ...


class Reporter(Protocol):
    def say(self, text: str) -> None: ...

    def stage(self, title: str, total: int, *, done: int = 0) -> AbstractContextManager[Progress]: ...


class SilentProgress:
    def skip(self, count: int) -> None:
        """Nobody watches."""

    def advance(self, count: int = 1, note: str = "", total: int | None = None) -> None:
        """Nobody watches."""

    def reach(self, done: int, total: int) -> None:
        """Nobody watches."""

    def under_way(self, count: int) -> None:
        """Nobody watches."""


class SilentReporter:
    """For tests and benches."""

    def say(self, text: str) -> None:
        """Nobody listens."""

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Progress]:
        yield SilentProgress()
