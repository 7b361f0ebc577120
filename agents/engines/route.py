"""One endpoint as the router sees it: is it up, how busy is it, what has it done so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from agents.engines.settings import RouterSettings
from agents.errors import EndpointError

Say = Callable[[str], None]


class EndpointStats(NamedTuple):
    """`left_out` says why, empty while the endpoint is in use. `in_flight` includes requests that wait for a slot."""

    url: str
    left_out: str
    requests: int
    failures: int
    in_flight: int
    sessions: int


class OneTry(Protocol):
    """An engine on one server that makes one try. Raises: EndpointError where another try may succeed."""

    @property
    def model(self) -> str: ...

    @property
    def url(self) -> str: ...

    async def generate(self, request: Any) -> Any: ...

    async def probe(self) -> None: ...

    async def aclose(self) -> None: ...


class Route:
    """An endpoint with its slots and its record."""

    def __init__(self, engine: Any, settings: RouterSettings, *, say: Say | None = None) -> None:
        self.engine = engine
        self.url: str = engine.url
        self.slots = asyncio.Semaphore(settings.concurrency)
        self.requests = self.failures = self.in_flight = self.sessions = 0
        self.left_out = ""  # why; it is probed before it is used again
        self._settings = settings
        self._say = say or (lambda line: None)
        self._strikes = 0  # failures since it last answered a request
        self._exits = 0  # times it was left out since then
        self._until = 0.0  # monotonic seconds: neither asked nor probed before
        self._probe: asyncio.Task[None] | None = None

    @property
    def wait(self) -> float:
        """Seconds until it may be asked, or probed where it is left out; not above 0 when it may at once."""
        return self._until - time.monotonic()

    @property
    def up(self) -> bool:
        return not self.left_out and self.wait <= 0

    def answered(self) -> None:
        self._strikes = self._exits = 0

    def failed(self, error: EndpointError) -> None:
        """A server that asks for patience gets it; one that is down, or fails time and again, is left out."""
        if error.retry_after is not None:
            self._until = max(self._until, time.monotonic() + error.retry_after)
            return
        self.failures += 1
        self._strikes += 1
        # Many requests die with one server: only the first of them leaves it out.
        if not self.left_out and (error.down or self._strikes >= self._settings.strikes):
            self._say(f"{self.url} is left out: {error}")
            self._leave_out(str(error))

    def refresh(self) -> None:
        """Start a probe if the endpoint is left out and its cool-down is over."""
        if self.left_out and self.wait <= 0 and self._probe is None:
            self._probe = asyncio.create_task(self._revive())

    async def usable(self) -> None:
        """Wait as long as its server asked for, or for the probe under way. Raises: EndpointError while left out."""
        if not self.left_out:
            await asyncio.sleep(max(0.0, self.wait))
        elif self._probe is not None:
            await asyncio.shield(self._probe)
        if self.left_out:
            raise EndpointError(self.left_out, down=True)

    async def aclose(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        await self.engine.aclose()

    def stats(self) -> EndpointStats:
        return EndpointStats(self.url, self.left_out, self.requests, self.failures, self.in_flight, self.sessions)

    def _leave_out(self, reason: str) -> None:
        cool_down = self._settings.cool_down_seconds * 2 ** min(self._exits, 16)
        self._until = time.monotonic() + min(cool_down, self._settings.longest_cool_down)
        self._exits += 1
        self.left_out = reason

    async def _revive(self) -> None:
        try:
            await self.engine.probe()
        except EndpointError as exc:
            self._leave_out(str(exc))
        else:
            # Its strikes stay: one that answers probes and fails requests is out again at the next failure.
            self.left_out = ""
            self._say(f"{self.url} is back")
        finally:
            self._probe = None
