"""A process that answers, as an interface sees it: requests go in, events come out, and it ends with its parent."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from contextlib import suppress

from agents.spawning import how_it_ended, same_imports
from karl.control.events import Event, Failed
from karl.control.requests import Open, Request
from karl.control.wire import EVENTS, REQUESTS
from karl.settings import Settings
from store.errors import KarlError

GRACE = 5.0  # seconds that it has to end once its input is closed
LONGEST_LINE = 2**26  # bytes: a search's passages come in one
KEPT = 40  # lines of what it said last


class Child:
    """Not for two readers at once."""

    def __init__(self, process: Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process, self._in, self._out = process, process.stdin, process.stdout
        self._said = deque[str](maxlen=KEPT)
        self._listening = asyncio.create_task(self._keep(process.stderr))

    @classmethod
    async def start(cls, module: str, settings: Settings) -> Child:
        """`python -m module`, in a group of its own: Ctrl-C in the interface's terminal is none of its business."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", module,
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=same_imports(), process_group=0, limit=LONGEST_LINE,
        )  # fmt: skip
        child = cls(process)
        await child.say(Open(settings))
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.returncode is None and not self._out.at_eof()

    async def say(self, request: Request) -> None:
        """What it does not hear because it has ended, `hear` tells."""
        with suppress(ConnectionError):
            self._in.write(REQUESTS.line(request))
            await self._in.drain()

    async def hear(self) -> Event:
        """The next event; once it has ended, that it has, with its last words."""
        line = await self._out.readline()
        if not line:
            return Failed(await self._last_words(), gone=True)
        try:
            return EVENTS.read(line)
        except KarlError as exc:
            return Failed(str(exc))

    async def aclose(self) -> None:
        """Asked to end by closing its input; killed when it does not."""
        self._in.close()
        try:
            await asyncio.wait_for(self._process.wait(), GRACE)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await self._listening

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _last_words(self) -> str:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), GRACE)
            await asyncio.wait_for(asyncio.shield(self._listening), GRACE)
        last = next((f": {line}" for line in reversed(self._said) if line), "")
        return f"the process that answers {how_it_ended(self._process.returncode)}{last}"

    async def _keep(self, said: asyncio.StreamReader) -> None:
        # By pieces: a progress bar is one line of any length.
        rest = ""
        while piece := await said.read(4096):
            *lines, rest = (rest + piece.decode(errors="replace")).replace("\r", "\n").split("\n")
            self._said.extend(line.strip() for line in lines)
            rest = rest[-4096:]
        self._said.append(rest.strip())
