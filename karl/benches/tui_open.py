"""How long does it take from the command to its first figures on a real terminal?"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

from store.errors import KarlError

SIZE = (42, 140)  # lines, columns
FIGURES = re.compile(rb"read \d\d:\d\d:\d\d")  # what the status line says once the first room shows what it read
PATIENCE = 30.0  # seconds
ATTEMPTS = 5


def opening_seconds(home: Path) -> list[float]:
    """Of `karl tui` started again and again, slowest last: interpreter, imports, first room, first reading.

    Raises: KarlError with what was on the terminal, where no figures came.
    """
    return sorted(_opening(home) for _ in range(ATTEMPTS))


def _opening(home: Path) -> float:
    ours, its = os.openpty()
    termios.tcsetwinsize(its, SIZE)
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"TERM": "xterm-256color", "KARL_HOME": str(home)}
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "karl", "tui"], stdin=its, stdout=its, stderr=its, env=environment
    ) as process:
        os.close(its)
        try:
            _read_until_figures(ours, until=began + PATIENCE)
            return round(time.perf_counter() - began, 3)
        finally:
            process.kill()
            os.close(ours)


def _read_until_figures(terminal: int, *, until: float) -> None:
    seen = b""
    while FIGURES.search(seen) is None:
        ready, _, _ = select.select([terminal], [], [], max(0.0, until - time.perf_counter()))
        piece = _read(terminal) if ready else b""
        if not piece:
            raise KarlError(f"`karl tui` showed no figures: {seen[-2000:].decode(errors='replace')}")
        seen += piece


def _read(terminal: int) -> bytes:
    """Nothing, once the program has gone."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
