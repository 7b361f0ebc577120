"""What one rank of a launched training does, whoever started its process."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rl_backend.launch.job import TrainJob, run_job
from rl_backend.launch.wire import Address, Failure, Line

if TYPE_CHECKING:
    from rl_backend.hooks import Hooks

PARENT = "KARL_TRAINING_PARENT"  # environment variable with the parent's address


def main() -> None:
    """Entry point of `python -m rl_backend`, under torchrun."""
    address = os.environ.get(PARENT)
    if address is None:
        raise SystemExit("python -m rl_backend is started by `karl train --launch torchrun`; see docs/training.md")
    run_rank(Address.parse(address), rank=int(os.environ["RANK"]))


def run_rank(address: Address, *, rank: int) -> None:
    """Fetch the job from the parent, do this rank's part, tell the parent how it went."""
    line = Line(address)
    try:
        job, evaluates = line.ask("join", rank, os.getpid())
        with _forwarded_warnings(line, rank=rank):
            _work(line, job, rank=rank, evaluates=evaluates)
    except BaseException as exc:
        line.ask("failed", Failure.of(exc, rank=rank))
        raise
    finally:
        line.close()


def _work(line: Line, job: TrainJob, *, rank: int, evaluates: bool) -> None:
    from rl_backend import ranks

    result = run_job(job, hooks=_hooks(line, evaluates=evaluates))
    ranks.leave()
    line.ask("done", result if rank == 0 else None)


def _hooks(line: Line, *, evaluates: bool) -> Hooks:
    """The parent's hooks; `train` calls them on rank 0 only, but for `on_start`."""
    from rl_backend.hooks import Hooks

    hooks = {"on_start": "start", "on_drift": "drift", "on_step": "step", "should_stop": "stop"}
    hooks |= {"stamp": "stamp", "record": "record"}
    if evaluates:
        hooks["evaluate"] = "evaluate"
    return Hooks(**{hook: partial(line.ask, name) for hook, name in hooks.items()})


@contextmanager
def _forwarded_warnings(line: Line, *, rank: int) -> Iterator[None]:
    """Rank 0's warnings are logged by the parent as well; the others would say the same."""
    handler = _Forward(line)
    if rank == 0:
        logging.getLogger("rl_backend").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("rl_backend").removeHandler(handler)


class _Forward(logging.Handler):
    def __init__(self, line: Line) -> None:
        super().__init__(level=logging.WARNING)
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._line.ask("log", record.name, record.levelno, record.getMessage())
