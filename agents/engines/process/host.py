"""An engine's process as its parent sees it: started once for all models, asked from any thread or event loop."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from tempfile import TemporaryFile
from typing import NamedTuple

from agents.engines.delivery import hand_over
from agents.engines.process.messages import Call, Cancel, Failed, Grew, Message, Reply
from agents.errors import EngineError
from agents.spawning import how_it_ended, same_imports

CHILD = "agents.engines.process.serve"
GRACE = 5.0  # seconds that it has to end


class Waiter(NamedTuple):
    """Who waits for the replies to a call. loop: where `take` runs; None: in the thread that reads them."""

    take: Callable[[Reply], None]
    loop: asyncio.AbstractEventLoop | None


class Host:
    """Ends with its parent, however that ends. When it ends by itself, all who wait are told why."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._calls = itertools.count(1)
        self._waiting: dict[int, Waiter] = {}
        self._lock = threading.Lock()
        self._ended = ""  # why; empty: it runs
        self._said = TemporaryFile()  # noqa: SIM115 - as long as the process
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = _start(theirs, said=self._said.fileno())
        self._connection = Connection(os.dup(self._socket.fileno()))
        threading.Thread(target=self._read, name="engine-replies", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Not after it has ended, nor in a fork of its parent."""
        return not self._ended and self.owner == os.getpid()

    def check(self) -> None:
        """Raises: EngineError that says how it ended."""
        if self._ended:
            raise EngineError(self._ended)

    def ask(
        self,
        message: Callable[[int], Call],
        take: Callable[[Reply], None],
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> int:
        """Send the call that `message` makes of its number, which is returned. Raises: EngineError if it has ended."""
        call = next(self._calls)
        with self._lock:
            self.check()
            self._waiting[call] = Waiter(take, loop)
            # A broken socket is the reader's to tell, also to this waiter.
            with suppress(OSError):
                self._connection.send(message(call))
        return call

    def call(self, message: Callable[[int], Call]) -> Future[Reply]:
        """Ask, for who waits without an event loop. Raises: EngineError if it has ended."""
        answer: Future[Reply] = Future()
        self.ask(message, answer.set_result)
        return answer

    def tell(self, message: Message) -> None:
        """What needs no answer, and nothing when it has ended."""
        with self._lock, suppress(OSError):
            if not self._ended:
                self._connection.send(message)

    def give_up(self, call: int) -> None:
        """Nobody waits for `call` any more."""
        self._waiting.pop(call, None)
        self.tell(Cancel(call))

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        try:
            while True:
                self._deliver(self._connection.recv())
        except (EOFError, OSError):
            self._end()

    def _deliver(self, replies: list[Reply]) -> None:
        found = [(waiter, reply) for reply in replies if (waiter := self._waiter(reply))]
        for waiter, reply in found:
            if waiter.loop is None:
                waiter.take(reply)
        hand_over(((waiter.loop, (waiter.take, reply)) for waiter, reply in found if waiter.loop), _take_all)

    def _waiter(self, reply: Reply) -> Waiter | None:
        last = not isinstance(reply, Grew) or reply.delta.finish_reason is not None
        return self._waiting.pop(reply.call, None) if last else self._waiting.get(reply.call)

    def _end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        with self._lock:
            self._ended = f"local engine: its process {how_it_ended(self._process.returncode)}{self._last_line()}"
        self._deliver([Failed(call, self._ended) for call in list(self._waiting)])

    def _last_line(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")


def _start(theirs: socket.socket, *, said: int) -> subprocess.Popen[bytes]:
    """In a process group of its own, so that Ctrl-C in a terminal does not reach it; with the parent's imports."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", CHILD, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        env=same_imports(),
        process_group=0,
    )


def _take_all(found: list[tuple[Callable[[Reply], None], Reply]]) -> None:
    for take, reply in found:
        take(reply)


_shared: list[Host] = []
_shared_lock = threading.Lock()


def shared_hosts(count: int) -> list[Host]:
    """The first `count` of this program, started when first needed and after they have ended."""
    with _shared_lock:
        _shared[:] = [host for host in _shared if host.usable]
        while len(_shared) < count:
            _shared.append(Host())
            atexit.register(_shared[-1].close)
        return _shared[:count]
