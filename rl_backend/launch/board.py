"""The parent's end of all lines: hands out the job, calls the hooks, keeps the result or the first failure.

One thread, the caller's: hooks run where they would run without ranks.
"""

from __future__ import annotations

import logging
import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from rl_backend.hooks import Hooks
from rl_backend.launch.job import TrainJob
from rl_backend.launch.wire import Address, Failure

if TYPE_CHECKING:
    from rl_backend.result import TrainResult

HANDSHAKE_SECONDS = 10
POLL_SECONDS = 0.1  # how soon the end of the ranks is noticed


class Lost(NamedTuple):
    """A rank whose process ended without a word."""

    rank: int
    pid: int


@dataclass
class _Rank:
    number: int = -1
    pid: int = -1
    done: bool = False


class Board:
    """Listens on `host`. `ended` is the first rank that failed or was lost; the others only follow it."""

    def __init__(self, job: TrainJob, hooks: Hooks, *, host: str) -> None:
        self._job, self._hooks = job, hooks
        self._server = socket.create_server((host, 0))
        self.address = Address(host, self._server.getsockname()[1], secrets.token_hex(32))
        self._ranks: dict[Connection, _Rank] = {}
        self.result: TrainResult | None = None
        self.ended: Failure | Lost | None = None
        self.hook_error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A rank that is still there ends when its line does."""
        for connection in self._ranks:
            connection.close()
        self._server.close()

    def serve(self, running: Callable[[], bool]) -> None:
        """Answer the ranks until none is `running` and nothing that they said is left unheard."""
        while True:
            alive = running()
            ready = wait([self._server, *self._ranks], timeout=POLL_SECONDS if alive else 0)
            if not ready and not alive:
                return
            self._hear([each for each in ready if isinstance(each, Connection)])
            if self._server in ready:
                self._accept()

    def _hear(self, ready: list[Connection]) -> None:
        heard: list[tuple[Connection, Any]] = []
        for connection in ready:
            try:
                heard.append((connection, connection.recv()))
            except (EOFError, OSError):
                # Before what the others say: they fail because this one is gone.
                self._lose(connection)
        for connection, message in heard:
            self._answer(connection, message)

    def _lose(self, connection: Connection) -> None:
        rank = self._ranks.pop(connection)
        connection.close()
        if not rank.done and self.ended is None:
            self.ended = Lost(rank.number, rank.pid)

    def _answer(self, connection: Connection, message: Any) -> None:
        name, *arguments = message
        try:
            answer = (True, self._do(self._ranks[connection], name, arguments))
        except BaseException as exc:
            self.hook_error = self.hook_error or exc
            answer = (False, f"{type(exc).__name__}: {exc}")
        try:
            connection.send(answer)
        except OSError:
            self._lose(connection)

    def _do(self, rank: _Rank, name: str, arguments: list[Any]) -> Any:
        match name, arguments:
            case "join", [number, pid]:
                rank.number, rank.pid = number, pid
                return self._job, self._hooks.evaluates
            case "log", [logger, level, text]:
                logging.getLogger(logger).log(level, "%s", text)
            case "failed", [failure]:
                rank.done = True
                self.ended = self.ended or failure
            case "done", [result]:
                rank.done = True
                self.result = result or self.result
            case _:
                return self._hook(name)(*arguments)

    def _hook(self, name: str) -> Callable[..., Any]:
        hooks = self._hooks
        known = {
            "start": hooks.on_start,
            "drift": hooks.on_drift,
            "step": hooks.on_step,
            "evaluate": hooks.evaluate,
            "stop": hooks.should_stop,
            "stamp": hooks.stamp,
            "record": hooks.record,
        }
        return known[name]

    def _accept(self) -> None:
        """Let in who knows the key; a stranger that says nothing holds the ranks up for some seconds only."""
        accepted, _ = self._server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", HANDSHAKE_SECONDS, 0))
        connection, key = Connection(accepted.dup().detach()), bytes.fromhex(self.address.key)
        try:
            deliver_challenge(connection, key)
            answer_challenge(connection, key)
        except (AuthenticationError, EOFError, OSError):
            connection.close()
        else:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
            self._ranks[connection] = _Rank()
        finally:
            accepted.close()
