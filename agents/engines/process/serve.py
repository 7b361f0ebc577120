"""The child: `python -m agents.engines.process.serve FD` answers its parent over the socket FD until that closes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from agents.engines.local import LocalEngine, load_model
from agents.engines.process.messages import (
    Call,
    Cancel,
    Close,
    Done,
    Failed,
    Generate,
    Grew,
    Load,
    Message,
    ModelSpec,
    Refused,
    Release,
    Reply,
    Sampled,
)
from agents.errors import EngineError
from store.errors import UsageError

# Parameters up to which one thread computes: of the embedded policy's 0.8 M it is faster than two (8%, two cores), and
# the agents have the other core. Where several begin to pay was not measured.
SMALL_MODEL = 20_000_000


class Server:
    """Lives in one event loop. A call that fails says so, and does nothing to the others."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._engines: dict[int, LocalEngine] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._loads: dict[int, asyncio.Task[None]] = {}  # by engine
        self._replies: list[Reply] = []

    def handle(self, message: Message) -> None:
        match message:
            case Cancel(call):
                if task := self._tasks.get(call):
                    task.cancel()
            case Release(engine, session):
                if opened := self._engines.get(engine):
                    opened.release(session)
            case _:
                task = self._tasks[message.call] = asyncio.create_task(self._answer(message))
                task.add_done_callback(lambda _: self._tasks.pop(message.call))
                if isinstance(message, Load):
                    self._loads[message.engine] = task

    async def _answer(self, call: Call) -> None:
        try:
            match call:
                case Generate():
                    await self._generate(call)
                case Load():
                    self._engines[call.engine] = await asyncio.to_thread(_open, call.spec)
                    self._reply(Done(call.call))
                case Close():
                    await self._close(call.engine)
                    self._reply(Done(call.call))
        except UsageError as exc:
            self._reply(Refused(call.call, str(exc)))
        except EngineError as exc:
            self._reply(Failed(call.call, str(exc)))
        except Exception as exc:
            self._reply(Failed(call.call, f"local engine: {type(exc).__name__}: {exc}"))

    async def _generate(self, call: Generate) -> None:
        """Raises: EngineError."""
        engine = self._engines.get(call.engine)
        if engine is None:
            raise EngineError("local engine: closed")
        if not call.streamed:
            self._reply(Sampled(call.call, await engine.generate(call.request)))
            return
        async for delta in engine.stream(call.request):
            self._reply(Grew(call.call, delta))

    async def _close(self, engine: int) -> None:
        if load := self._loads.pop(engine, None):
            await asyncio.wait([load])  # given up while it loads: what comes late must not stay
        opened = self._engines.pop(engine, None)
        if opened is None:
            return
        await opened.aclose()
        del opened
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # the parent may train on the same device next

    def _reply(self, reply: Reply) -> None:
        self._replies.append(reply)
        if len(self._replies) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        replies, self._replies = self._replies, []
        try:
            self._connection.send(replies)
        except OSError:
            os._exit(0)  # nobody is left to tell


def _open(spec: ModelSpec) -> LocalEngine:
    """Raises: UsageError."""
    model = load_model(Path(spec.path), device=spec.device)
    if "OMP_NUM_THREADS" not in os.environ:
        cores = os.cpu_count() or 1
        torch.set_num_threads(1 if model.num_parameters() <= SMALL_MODEL else max(1, cores - 1))
    return LocalEngine(model, name=spec.name, max_rows=spec.max_rows)


def _read(connection: Connection, server: Server, loop: asyncio.AbstractEventLoop) -> None:
    """In a thread: the loop must not wait for the socket."""
    try:
        while True:
            loop.call_soon_threadsafe(server.handle, connection.recv())
    except (EOFError, OSError):
        os._exit(0)  # the parent has closed or died; whatever is being computed is for nobody


async def _serve(connection: Connection) -> None:
    server, loop = Server(connection), asyncio.get_running_loop()
    threading.Thread(target=_read, args=(connection, server, loop), daemon=True).start()
    await asyncio.Event().wait()  # the reader ends the process


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    asyncio.run(_serve(Connection(int(sys.argv[1]))))
