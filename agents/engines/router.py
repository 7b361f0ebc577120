"""Several endpoints behind one engine: sticky sessions, failover, retries, a limit on what each is asked at once.

A request carries its seed and is repeated as it is, so a retry is safe. An endpoint that failed is left out, probed
after a cool-down that doubles, and taken back when it answers. One endpoint is the smallest case: retries and a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Generic, Protocol, TypeVar

from agents.engines.base import Delta, GenerateRequest, Generation
from agents.engines.route import EndpointStats, OneTry, Route, Say
from agents.engines.settings import RouterSettings
from agents.errors import EndpointError, EngineError
from store.errors import UsageError


class HasSession(Protocol):
    @property
    def session(self) -> str: ...

    @property
    def fork_of(self) -> str: ...


RequestT = TypeVar("RequestT", bound=HasSession)
ReplyT = TypeVar("ReplyT")


class Router(Generic[RequestT, ReplyT]):
    """`generate` on the session's endpoint, or on the least busy one that is up. `say` hears who is left out.

    A session stays where it began, since its prefix is cached there; a fork begins where its origin is.
    """

    def __init__(
        self, endpoints: Sequence[OneTry], settings: RouterSettings | None = None, *, say: Say | None = None
    ) -> None:
        if not endpoints:
            raise UsageError("a router needs at least one endpoint")
        self.settings = settings or RouterSettings()
        self._routes = [Route(endpoint, self.settings, say=say) for endpoint in endpoints]
        self._homes: dict[str, Route] = {}

    @property
    def model(self) -> str:
        return self._routes[0].engine.model

    async def generate(self, request: RequestT) -> ReplyT:
        """Raises: EngineError for a request that is refused; EndpointError when the last try failed."""
        tries = _Tries(self._routes, self.settings)
        while True:
            try:
                async with self._route(request, tries) as route:
                    return await route.engine.generate(request)
            except EndpointError as exc:
                await tries.after(exc)

    def release(self, session: str) -> None:
        """The session is over: its next request may go anywhere."""
        route = self._homes.pop(session, None)
        if route is not None:
            route.sessions -= 1

    async def aclose(self) -> None:
        await asyncio.gather(*(route.aclose() for route in self._routes))

    def stats(self) -> list[EndpointStats]:
        return [route.stats() for route in self._routes]

    @asynccontextmanager
    async def _route(self, request: HasSession, tries: _Tries) -> AsyncIterator[Route]:
        """A slot on an endpoint, which is told how it went. Raises: EndpointError when none is up."""
        route = await self._choose(request, tries)
        tries.last = route
        route.in_flight += 1
        try:
            async with route.slots:
                route.requests += 1
                yield route
                route.answered()
        except EndpointError as exc:
            route.failed(exc)
            raise
        finally:
            route.in_flight -= 1

    async def _choose(self, request: HasSession, tries: _Tries) -> Route:
        for route in self._routes:
            route.refresh()
        up = [route for route in self._routes if route.up]
        if not up:
            nearest = min(self._routes, key=lambda route: route.wait)
            await nearest.usable()
            up = [nearest]
        fresh = [route for route in up if route is not tries.last] or up
        home = self._homes.get(request.session) or self._homes.get(request.fork_of)
        chosen = home if home in fresh else min(fresh, key=lambda route: (route.in_flight, route.sessions))
        self._settle(request.session, chosen)
        return chosen

    def _settle(self, session: str, route: Route) -> None:
        if session and self._homes.get(session) is not route:
            self.release(session)
            self._homes[session] = route
            route.sessions += 1


class TokenRouter(Router[GenerateRequest, Generation]):
    """`Engine` and `StreamingEngine` over endpoints that are both."""

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
        """A stream that breaks off is asked for again, and goes on where it was.

        Raises: as `generate`; EngineError where the repetition takes another course than what was delivered.
        """
        tries = _Tries(self._routes, self.settings)
        given: list[int] = []
        while True:
            try:
                async with (
                    self._route(request, tries) as route,
                    aclosing(route.engine.stream(request)) as deltas,
                ):
                    async for delta in _unsaid(deltas, tuple(given)):
                        given += delta.token_ids
                        yield delta
                return
            except EndpointError as exc:
                await tries.after(exc)


class _Tries:
    """The tries of one request: how many were made, and where the last was."""

    def __init__(self, routes: Sequence[Route], settings: RouterSettings) -> None:
        self.last: Route | None = None
        self._made = 0
        self._routes, self._settings = routes, settings

    async def after(self, error: EndpointError) -> None:
        """Pause if there is nowhere else to go. Raises: `error` after the last try."""
        if self._made == self._settings.retries:
            raise error
        elsewhere = any(route.up for route in self._routes if route is not self.last)
        # Where the server named a time, choosing it again waits for that.
        if not elsewhere and error.retry_after is None:
            await asyncio.sleep(self._settings.backoff_seconds * 2**self._made)
        self._made += 1


async def _unsaid(deltas: AsyncGenerator[Delta, None], given: tuple[int, ...]) -> AsyncIterator[Delta]:
    """The deltas less the `given` ids, which were delivered before."""
    left = len(given)
    async for delta in deltas:
        start = len(given) - left
        known = min(left, len(delta.token_ids))
        if tuple(delta.token_ids[:known]) != given[start : start + known]:
            raise EngineError(f"a stream broke off after {len(given)} tokens, and its repetition took another course")
        left -= known
        if known < len(delta.token_ids) or delta.finish_reason:
            yield Delta(delta.token_ids[known:], delta.logprobs[known:], delta.finish_reason)
