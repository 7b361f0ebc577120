"""What a training tells its caller, and asks: all optional, called on rank 0 only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rl_backend.drift import Drift
    from rl_backend.result import TrainResult


class Evaluation(NamedTuple):
    """Of a policy between epochs. score: higher is better; unfinished: share of rollouts without an answer."""

    score: float
    unfinished: float = 0.0


def _started(step: int, steps: int) -> None: ...


def _measured(drift: Drift) -> None: ...


def _stepped(step: int, steps: int, figures: dict[str, float]) -> None: ...


def _not_evaluated(epoch: int, step: int, folder: Path) -> Evaluation | None:
    return None


def _go_on() -> bool:
    return False


def _as_it_is(folder: Path) -> None: ...


def _unrecorded(result: TrainResult) -> None: ...


@dataclass(frozen=True, slots=True)
class Hooks:
    """on_start(step, steps): the training begins behind `step` (0, or where it was resumed): later figures are void.
    on_drift(drift): before the first step, and again when a training goes on: none of it is lost where it ends badly.
    on_step(step, steps, figures): a step is done.
    evaluate(epoch, step, folder): behind an epoch and behind the last step, with the weights as a Hugging Face folder;
    None for no evaluation.
    should_stop(): asked before every step; a stopped training saves its state and writes no checkpoint.
    stamp(folder): the checkpoint is whole, and about to get its name: to write beside the weights.
    record(result): the checkpoint is at `result.out`. Until this returns the training is known to be done; one that was
    killed before is told again, so that what is recorded is to be replaced.
    """

    on_start: Callable[[int, int], None] = _started
    on_drift: Callable[[Drift], None] = _measured
    on_step: Callable[[int, int, dict[str, float]], None] = _stepped
    evaluate: Callable[[int, int, Path], Evaluation | None] = _not_evaluated
    should_stop: Callable[[], bool] = _go_on
    stamp: Callable[[Path], None] = _as_it_is
    record: Callable[[TrainResult], None] = _unrecorded

    @property
    def evaluates(self) -> bool:
        return self.evaluate is not _not_evaluated
