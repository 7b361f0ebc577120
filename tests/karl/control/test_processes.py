"""Who owns a run, and how it is held, woken and ended: on processes that really own one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from karl.control.processes import pause, run_of, run_process, standing, stop, wake
from karl.run_lock import LOCK_FOLDER
from karl.settings import Settings
from store.errors import UsageError
from store.types import RunState
from tests.karl.control.control_kit import environment

PATIENCE = 20.0  # seconds
# Owns a run as `karl run` does, with a child, and says which signals come.
OWN = """
import signal, subprocess, sys, time
from pathlib import Path
from karl.run_lock import run_lock
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: print(signal.Signals(number).name, flush=True))
apart = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], **apart)
with run_lock(Path(sys.argv[1]), name="notes-1"):
    print(child.pid, flush=True)
    for line in sys.stdin:
        pass
child.kill()
child.wait()
"""


def until(reached: Callable[[], bool]) -> None:
    """Signals take effect when the system gets to it."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


class Owner:
    """A process that owns the run notes-1 of a home until it is told to let go."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.child = psutil.Process(int(self.says()))

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def let_go(self) -> None:
        self.process.communicate()

    @property
    def standing(self) -> str:
        return standing(self.settings, "notes-1", RunState.RUNNING)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()
    with suppress(psutil.NoSuchProcess):  # it let go
        made.child.kill()


def test_a_run_is_held_with_its_children_woken_and_asked_to_stop(owner: Owner):
    assert run_process(owner.settings, "notes-1") == (owner.process.pid, False)
    assert owner.standing == "running"
    pause(owner.settings, "notes-1")
    until(lambda: (owner.standing, owner.child.status()) == ("paused", psutil.STATUS_STOPPED))
    wake(owner.settings, "notes-1")
    until(lambda: owner.standing == "running" and owner.child.status() != psutil.STATUS_STOPPED)
    pause(owner.settings, "notes-1")
    stop(owner.settings, "notes-1")
    assert owner.says() == "SIGINT"
    stop(owner.settings, "notes-1", at_once=True)
    assert {owner.says(), owner.says()} == {"SIGINT", "SIGTERM"}  # in whatever order they arrive
    until(lambda: owner.child.status() != psutil.STATUS_STOPPED)


def test_the_run_of_a_process_is_found_alive_and_dead(owner: Owner):
    started = psutil.Process(owner.process.pid).create_time()
    assert run_of(owner.settings, owner.process.pid, since=started) == "notes-1"
    assert run_of(owner.settings, owner.process.pid + 1, since=started) is None
    owner.let_go()
    assert run_of(owner.settings, owner.process.pid, since=started) == "notes-1"
    # Another process of that number, much later.
    assert run_of(owner.settings, owner.process.pid, since=started + 3_600) is None


def test_a_killed_owner_leaves_a_lost_run(owner: Owner):
    owner.process.kill()
    owner.process.wait()
    assert owner.standing == "lost"
    assert standing(owner.settings, "notes-1", RunState.DONE) == "done"
    for act in (pause, wake, stop):
        with pytest.raises(UsageError, match=r"no process owns run 'notes-1'; the command that started it goes on"):
            act(owner.settings, "notes-1")


def test_a_zombie_owns_nothing(owner: Owner):
    owner.process.kill()
    os.waitid(os.P_PID, owner.process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not reaped yet
    assert psutil.Process(owner.process.pid).status() == psutil.STATUS_ZOMBIE
    assert run_process(owner.settings, "notes-1") is None


def test_a_number_that_another_process_has_now_owns_nothing(tmp_path: Path):
    """This very process is as old as you like, and would be stopped."""
    lock = tmp_path / LOCK_FOLDER / "notes-1.lock"
    lock.parent.mkdir()
    lock.write_text(f"{os.getpid()}\n")
    settings = Settings(home=tmp_path)
    assert run_process(settings, "notes-1") is None
    assert standing(settings, "notes-1", RunState.RUNNING) == "lost"
    with lock.open():
        assert run_process(settings, "notes-1") == (os.getpid(), False)


@pytest.mark.parametrize("number", ["", "x", "-1", "99999999999"])
def test_a_lock_that_names_no_process(tmp_path: Path, number: str):
    lock = tmp_path / LOCK_FOLDER / "notes-1.lock"
    lock.parent.mkdir()
    lock.write_text(number)
    assert run_process(Settings(home=tmp_path), "notes-1") is None
    assert run_of(Settings(home=tmp_path), 1, since=0.0) is None


def test_a_run_of_another_home_is_believed(tmp_path: Path):
    assert standing(Settings(home=tmp_path), "notes-1", RunState.RUNNING) == "running"
