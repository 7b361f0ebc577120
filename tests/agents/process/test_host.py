"""The life of an engine's process: it never outlives its parent, and when it dies, everybody is told why."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.engines.process.host import shared_hosts
from agents.errors import EngineError
from tests.agents.local.kit import PATIENCE, request, soon
from tests.agents.process.kit import loaded

PROGRAM = """
import asyncio, signal, sys
from agents.engines.base import GenerateRequest, SamplingParams
from agents.engines.process import ModelSpec, ProcessEngine

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it

def request(tokens):
    return GenerateRequest([1], SamplingParams(tokens))

engine = ProcessEngine(ModelSpec(sys.argv[1], "tiny", "cpu", 4))
engine.wait()
try:
    print(engine._replicas[0].host.pid, flush=True)
    asyncio.run(engine.generate(request(10_000_000)))
except KeyboardInterrupt:
    # Ctrl-C is for this process: the engine still answers.
    print(len(asyncio.run(engine.generate(request(5))).token_ids), flush=True)
"""


async def test_when_a_process_is_killed_all_are_told_and_the_next_engine_has_a_new_one(folder: Path) -> None:
    opened = loaded(folder, processes=2)
    running = [asyncio.ensure_future(opened.generate(request([n], tokens=10_000_000))) for n in range(4)]
    await asyncio.sleep(0.1)
    killed, other = (replica.host for replica in opened._replicas)
    os.kill(killed.pid, signal.SIGKILL)
    for task in running[::2]:  # they lived there
        with pytest.raises(EngineError, match="was ended by SIGKILL, as for lack of memory"):
            await soon(task)
    with pytest.raises(EngineError, match="SIGKILL"):  # whichever process it would have gone to
        await soon(opened.generate(request([1])))
    await soon(opened.aclose())
    for task in running[1::2]:  # the other process still lives, and closes too
        with pytest.raises(EngineError, match="closed"):
            await soon(task)
    again = loaded(folder, processes=2)
    assert killed not in shared_hosts(2) and other in shared_hosts(2)
    assert len((await soon(again.generate(request([1], tokens=5)))).token_ids) == 5
    await soon(again.aclose())


def test_it_ends_when_its_parent_is_killed(folder: Path) -> None:
    with started(folder) as (parent, child):
        parent.kill()
        parent.wait()
        until(lambda: not alive(child))


def test_ctrl_c_reaches_the_parent_alone_and_the_end_of_the_parent_is_its_end(folder: Path) -> None:
    with started(folder) as (parent, child):
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
        said, _ = parent.communicate(timeout=PATIENCE)
        assert said.strip() == "5" and parent.returncode == 0
        until(lambda: not alive(child))


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that samples, and the engine's process."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert parent.stdout is not None
        yield parent, int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.communicate()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan that nobody has waited for yet is no process any more.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
