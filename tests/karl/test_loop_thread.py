"""Ctrl-C while a loop of its own works for the caller: the work has ended before the caller hears of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, signal, sys
from karl.api.loop_thread import LoopThread

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
