"""Ctrl-C while a loop of its own works for the caller: the work has ended before the caller hears of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable

import pytest

from agents.loop_thread import LoopThread, waiting_loop

SCRIPT = """
import asyncio, signal, sys
from agents.loop_thread import LoopThread

# A process that a shell put into the background ignores SIGINT, and so would its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

said = []

async def work():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        said.append("unwound")

async def items():
    try:
        yield 1
        await work()
    finally:
        await asyncio.sleep(0.05)
        said.append("closed")

thread = LoopThread("test")
try:
    list(thread.iterate(items())) if sys.argv[1] == "stream" else thread.run(work())
except KeyboardInterrupt:
    said.append("interrupted")
thread.close()
print(*said)
"""


@pytest.mark.parametrize(
    ("how", "said"), [("run", "unwound interrupted"), ("stream", "unwound closed interrupted")], ids=["run", "stream"]
)
def test_an_interrupt_waits_until_the_work_has_ended(how: str, said: str) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT, how], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out.strip()) == (0, said)


@pytest.mark.parametrize("scheduled", [True, False], ids=["after the start", "before the start"])
def test_an_interrupt_during_the_start_waits_too(scheduled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python raises KeyboardInterrupt between any two instructions: here, in the call that starts the work."""
    said: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            said.append("unwound")

    thread = LoopThread("test")
    loop = thread._loop  # pyright: ignore[reportPrivateUsage]
    schedule = loop.call_soon_threadsafe

    def interrupted(start: Callable[[], object]) -> None:
        monkeypatch.undo()
        if scheduled:
            schedule(start)
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "call_soon_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        thread.run(work())
    assert said == (["unwound"] if scheduled else [])
    thread.close()


def test_a_timeout_may_span_the_items_of_an_iteration() -> None:
    """`asyncio.timeout` must be left in the task in which it was entered."""
    seen: list[asyncio.Task[None] | None] = []

    async def items() -> AsyncGenerator[int, None]:
        async with asyncio.timeout(0.2):
            for number in range(3):
                seen.append(asyncio.current_task())
                yield number
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        list(waiting_loop().iterate(items()))
    assert len(seen) == 3 and len(set(seen)) == 1


def test_a_fork_waits_in_a_loop_of_its_own() -> None:
    async def work() -> str:
        return "done"

    assert waiting_loop().run(work()) == "done"
    child = os.fork()
    if child == 0:
        os._exit(0 if waiting_loop().run(work()) == "done" else 1)
    deadline = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
