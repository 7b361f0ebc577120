"""A real terminal: tmux runs the program, keys are typed into it, and its screen is read back as text."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

TMUX = shutil.which("tmux")
needs_tmux = pytest.mark.skipif(TMUX is None, reason="no tmux on this machine")
POLL = 0.1


class Terminal:
    """One pane of a tmux server of its own, so that nobody's sessions are touched."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            [TMUX or "tmux", "-S", str(self._socket), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Enter, Escape, Tab, Up, C-p, or a character."""
        for key in keys:
            self.tmux("send-keys", "-t", "karl", key)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-t", "karl", "-l", text)

    def lines(self) -> list[str]:
        return self.tmux("capture-pane", "-p", "-t", "karl").splitlines()

    def wait(self, happened: Callable[[], bool], *, patience: float) -> bool:
        """Whether it happened within `patience` seconds."""
        end = time.monotonic() + patience
        while not (done := happened()) and time.monotonic() < end:
            time.sleep(POLL)
        return done

    def until(self, *said: str, patience: float = 60.0) -> list[str]:
        """Wait until every text is on the screen. Raises: AssertionError with the screen."""
        if not self.wait(lambda: self._shows(said), patience=patience):
            raise AssertionError(f"{said} never came on the screen:\n" + "\n".join(self.lines()))
        return self.lines()

    def until_no_more(self, said: str, *, patience: float = 60.0) -> None:
        """Wait until the text is not on the screen. Raises: AssertionError with the screen."""
        if not self.wait(lambda: not self._shows([said]), patience=patience):
            raise AssertionError(f"{said} stayed on the screen:\n" + "\n".join(self.lines()))

    def _shows(self, said: Sequence[str]) -> bool:
        lines = self.lines()
        return all(any(text in line for line in lines) for text in said)

    def until_gone(self, *, patience: float = 30.0) -> None:
        """Wait until the program has ended. Raises: AssertionError with the screen."""
        if not self.wait(self._dead, patience=patience):
            raise AssertionError("the program has not ended:\n" + "\n".join(self.lines()))

    def _dead(self) -> bool:
        return self.tmux("display-message", "-p", "-t", "karl", "#{pane_dead}").strip() == "1"

    def exit_code(self) -> int:
        """Negative for a signal, as subprocess has it. tmux may hear of the end before it hears how it was."""
        ended: list[str] = []

        def told() -> bool:
            said = self.tmux("display-message", "-p", "-t", "karl", "#{pane_dead_status},#{pane_dead_signal}")
            ended[:] = said.strip().split(",")
            if not any(ended):
                # The helper that writes utmp may swallow the signal of an end: tmux looks for one at the next.
                os.kill(int(self.tmux("display-message", "-p", "#{pid}")), signal.SIGCHLD)
            return any(ended)

        if not self.wait(told, patience=30.0):
            pid = self.tmux("display-message", "-p", "-t", "karl", "#{pane_pid}").strip()
            raise AssertionError(f"tmux does not tell how the program ended: {_state(pid)}")
        status, killer = ended
        return int(status) if status else -int(killer)


def _state(pid: str) -> str:
    """Of a process, as the system has it."""
    status = Path(f"/proc/{pid}/status")
    return " ".join(status.read_text().split("\n")[:4]) if status.exists() else f"process {pid} is gone"


@contextmanager
def terminal(
    command: list[str], *, cwd: Path, socket: Path, environment: Mapping[str, str], columns: int = 110, rows: int = 36
) -> Iterator[Terminal]:
    """The command in a terminal of this size, killed at the end if it is still there."""
    opened = Terminal(socket)
    # The terminal says how large it is; a variable that says otherwise would be believed.
    own = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    variables = [part for name, value in own.items() for part in ("-e", f"{name}={value}")]
    size = ["-x", str(columns), "-y", str(rows)]
    opened.tmux(
        "-f",
        "/dev/null",
        "start-server",
        ";",
        "set-option",
        "-g",
        "default-size",
        f"{columns}x{rows}",
        ";",
        "new-session",
        "-d",
        "-s",
        "karl",
        *size,
        "-c",
        str(cwd),
        *variables,
        "sleep 600",
    )
    try:
        # Set before the program is there: one that ends at once would take the pane with it.
        opened.tmux("set-option", "-t", "karl", "remain-on-exit", "on")
        opened.tmux("respawn-pane", "-k", "-t", "karl", shlex.join(command))
        yield opened
    finally:
        subprocess.run([TMUX or "tmux", "-S", str(socket), "kill-server"], capture_output=True, check=False)
