"""What a training leaves while it runs: metrics in the store, in small transactions, and a bar on the screen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karl.reporting import Progress, Reporter, SilentProgress
from store import queries
from store.errors import KarlError
from store.session import Store

if TYPE_CHECKING:
    from rl_backend.drift import Drift
    from rl_backend.result import TrainResult

SHOWN = {"loss": "loss", "logratio_winners": "winners", "logratio_losers": "losers"}
STEPS_AT_ONCE = 10  # whose metrics are written together


@dataclass(frozen=True)
class Place:
    """Where the metrics of one training go."""

    store: Store
    run_id: int
    iteration: int
    series: str

    def write(self, points: list[tuple[int, str, float]]) -> None:
        with self.store.session() as session:
            queries.add_metrics(session, self.run_id, iteration=self.iteration, series=self.series, points=points)

    def forget(self, *, after: int) -> None:
        with self.store.session() as session:
            queries.forget_metrics(session, self.run_id, series=self.series, after=after)


@dataclass
class Recorder:
    """`start`, `drift` and `step` are the hooks of a training of those names."""

    place: Place
    title: str
    reporter: Reporter
    checkpoint_steps: int | None
    _opened: ExitStack
    _progress: Progress = field(default_factory=SilentProgress)
    _points: list[tuple[int, str, float]] = field(default_factory=list)

    def start(self, step: int, steps: int) -> None:
        """Figures behind `step` are of steps that will be made again, or of an earlier training: they go."""
        self.place.forget(after=step or -1)  # from the beginning: what is known of the whole goes too, at step 0
        if step:
            self.reporter.say(f"{self.place.series}: going on behind step {step} of {steps}")
        self._progress = self._opened.enter_context(self.reporter.stage(self.title, steps, done=step))

    def drift(self, drift: Drift) -> None:
        """Written at once: a training that collapses or is stopped is one to look at it for."""
        measured = ((0, "drift_mean", drift.mean), (0, "drift_max", drift.max))
        # Not a number for weights that are none: the first step says so, and names the base.
        self.place.write([point for point in measured if not math.isnan(point[2])])

    def step(self, step: int, steps: int, values: dict[str, float]) -> None:
        self._points += [(step, name, value) for name, value in values.items()]
        note = "  ".join(f"{label} {values[name]:+.2f}" for name, label in SHOWN.items() if name in values)
        self._progress.advance(1, note=note, total=steps)
        # A step whose state is about to be saved is never made again: its figures must not be lost to a kill.
        if step % STEPS_AT_ONCE == 0 or (self.checkpoint_steps and step % self.checkpoint_steps == 0):
            self.flush()

    def flush(self) -> None:
        points, self._points = self._points, []
        if points:
            self.place.write(points)


@contextmanager
def recorded(
    place: Place, *, title: str, reporter: Reporter, checkpoint_steps: int | None = None
) -> Iterator[Recorder]:
    """The recorder of a training under way; what it holds is written at the end, however the training ends."""
    with ExitStack() as opened:
        recorder = Recorder(place, title, reporter, checkpoint_steps, opened)
        try:
            yield recorder
        except BaseException:
            with suppress(KarlError):  # on a full disk this fails as well: the first error is the one to tell
                recorder.flush()
            raise
        recorder.flush()


def record_result(place: Place, result: TrainResult, tokens: queries.TokenCheck, *, reporter: Reporter) -> None:
    """Say what was trained on and how fast; token identity becomes a metric of step 0."""
    drift = result.drift
    told = (
        f"; engine and trainer log-probs differ by {drift.mean:.1e} nats in the mean, {drift.max:.1e} at most"
        if drift
        else ""
    )
    reporter.say(
        f"{place.series}: {result.groups} groups, {result.rollouts} rollouts, {result.segments} segments, "
        f"{result.steps} steps in {result.seconds:.0f} s ({result.tokens_per_second:,.0f} tokens/s){told}; "
        f"token ids of {tokens.identical} of {tokens.segments} segments are exactly what the engine saw"
    )
    place.write([(0, "tokens_identical", float(tokens.identical)), (0, "tokens_compared", float(tokens.segments))])
