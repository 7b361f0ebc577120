"""`agents.engines.base.Engine` and `StreamingEngine` over a model in other processes."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from agents.engines.base import Delta, GenerateRequest, Generation
from agents.engines.delivery import Answer, settle
from agents.engines.process.host import Host, shared_hosts
from agents.engines.process.messages import (
    Call,
    Close,
    Failed,
    Generate,
    Grew,
    Load,
    ModelSpec,
    Refused,
    Release,
    Reply,
    Sampled,
)
from agents.errors import EngineError
from store.errors import KarlError, UsageError

_ids = itertools.count(1)


@dataclass(eq=False)
class Replica:
    """The model in one of the processes. held: conversations that live there, and requests that belong to none."""

    host: Host
    engine: int
    held: int = 0


class ProcessEngine:
    """`LocalEngine`s at the other end: same tokens, same failures. All models of a program share its processes.

    A conversation stays where it began, because its KV cache is there; a new one goes where fewest are.
    """

    def __init__(self, spec: ModelSpec, *, processes: int = 1) -> None:
        """Begins to load the model into each process: `wait` for it. They get `spec.max_rows` between them."""
        self._name = spec.name
        self._replicas = [Replica(host, next(_ids)) for host in shared_hosts(processes)]
        self._places: dict[str, Replica] = {}
        part = replace(spec, max_rows=math.ceil(spec.max_rows / processes))
        try:
            self._loads = [each.host.call(partial(Load, engine=each.engine, spec=part)) for each in self._replicas]
        except EngineError as exc:
            raise KarlError(str(exc)) from exc

    def wait(self) -> None:
        """Until the model is loaded.

        Raises: UsageError for a folder or an architecture that it cannot use; KarlError when a process fails.
        """
        _check([load.result() for load in self._loads])

    @property
    def model(self) -> str:
        return self._name

    async def generate(self, request: GenerateRequest) -> Generation:
        """Sample one continuation. Raises EngineError if the request is none, the model fails or a process ends."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Generation] = loop.create_future()

        def take(reply: Reply) -> None:
            settle([(future, _answer(reply))])

        with self._placed(request) as replica:
            call = replica.host.ask(_generate(request, replica, streamed=False), take, loop=loop)
            try:
                return await future
            except asyncio.CancelledError:
                replica.host.give_up(call)
                raise

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
        """The same continuation in pieces. Raises EngineError."""
        replies: asyncio.Queue[Reply] = asyncio.Queue()
        with self._placed(request) as replica:
            ask = _generate(request, replica, streamed=True)
            call = replica.host.ask(ask, replies.put_nowait, loop=asyncio.get_running_loop())
            finished = False
            try:
                while not finished:
                    delta = _delta(await replies.get())
                    finished = delta.finish_reason is not None
                    yield delta
            finally:
                if not finished:
                    replica.host.give_up(call)

    def release(self, session: str) -> None:
        replica = self._places.pop(session, None)
        if replica is not None:
            replica.held -= 1
            replica.host.tell(Release(replica.engine, session))

    async def aclose(self) -> None:
        await asyncio.gather(*map(asyncio.wrap_future, self.close_soon()))

    def close_soon(self) -> list[Future[Reply]]:
        """Have each process that lives forget the model; the futures are done when it has."""
        answers: list[Future[Reply]] = []
        for replica in self._replicas:
            with suppress(EngineError):  # its process has ended, and the model with it
                answers.append(replica.host.call(partial(Close, engine=replica.engine)))
        return answers

    @contextmanager
    def _placed(self, request: GenerateRequest) -> Iterator[Replica]:
        """Where it is sampled. Raises: EngineError once any process has ended: half an engine would hide it."""
        for replica in self._replicas:
            replica.host.check()
        session = request.session
        known = self._places.get(session) or self._places.get(request.fork_of)
        replica = known or min(self._replicas, key=lambda each: each.held)
        if session and session not in self._places:
            self._places[session] = replica
            replica.held += 1
        replica.held += not session
        try:
            yield replica
        finally:
            replica.held -= not session


def _generate(request: GenerateRequest, replica: Replica, *, streamed: bool) -> partial[Call]:
    return partial(Generate, engine=replica.engine, request=request, streamed=streamed)


def _check(replies: Sequence[Reply]) -> None:
    """Raises: UsageError, KarlError for a model that was not loaded."""
    for reply in replies:
        if isinstance(reply, Refused):
            raise UsageError(reply.reason)
        if isinstance(reply, Failed):
            raise KarlError(reply.reason)


def _answer(reply: Reply) -> Answer:
    return reply.generation if isinstance(reply, Sampled) else _error(reply)


def _delta(reply: Reply) -> Delta:
    """Raises: EngineError."""
    if isinstance(reply, Grew):
        return reply.delta
    raise _error(reply)


def _error(reply: Reply) -> EngineError:
    return EngineError(reply.reason if isinstance(reply, Failed) else f"local engine: {reply} answers nothing")
