"""Ranks of one machine, started and watched by torchrun: where one ends badly, it ends the others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

from rl_backend.hooks import Hooks
from rl_backend.launch.board import Board
from rl_backend.launch.job import TrainJob
from rl_backend.launch.outcome import outcome
from rl_backend.launch.rank import PARENT

if TYPE_CHECKING:
    from rl_backend.result import TrainResult

HERE = "127.0.0.1"
TAIL_LINES = 30
GRACE_SECONDS = 30


def run_torchrun(job: TrainJob, hooks: Hooks, *, ranks: int) -> TrainResult:
    """What the processes print goes to `<out>.log`, which stays only where the training failed.

    Raises: as `launch.launch` does.
    """
    log = job.out.with_name(f"{job.out.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with Board(job, hooks, host=HERE) as board:
        # torchrun and the ranks leave files in their temporary folder.
        with log.open("w", encoding="utf-8") as stream, TemporaryDirectory(prefix="karl-") as scratch:
            process = _start(board, stream, ranks=ranks, scratch=scratch)
            try:
                board.serve(lambda: process.poll() is None)
            finally:
                _end(process)
        result = outcome(board, cause=lambda pid: _cause(log, pid))
    log.unlink()
    return result


def _start(board: Board, stream: IO[str], *, ranks: int, scratch: str) -> subprocess.Popen[bytes]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--local-addr={HERE}"]
    return subprocess.Popen(
        [*torchrun, f"--nproc-per-node={ranks}", "-m", "rl_backend"],
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=subprocess.STDOUT,
        env={**os.environ, PARENT: str(board.address), "TMPDIR": scratch},
        # Ctrl-C in the terminal is for the parent alone, which then stops the ranks in order.
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cause(log: Path, pid: int | None) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    told = re.search(rf"Signal \d+ \(\w+\) received by PID {pid}\b", text)
    if told is not None:
        return told[0]
    tail = "\n".join(text.splitlines()[-TAIL_LINES:])
    return f"all of it is in {log}, which ends:\n{tail}"
