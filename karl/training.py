"""The arrow from dataset to checkpoint: runs rl_backend off the event loop and stores its metrics as they come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karl.collect import Stopped
from karl.context import Context
from karl.policies import write_profile
from karl.reporting import Progress
from store import queries
from store.errors import KarlError
from store.models import Checkpoint, Dataset
from store.types import Algorithm

if TYPE_CHECKING:
    from rl_backend.train import TrainResult

SHOWN = {"loss": "loss", "logratio_winners": "winners", "logratio_losers": "losers"}


async def train_checkpoint(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, algorithm: Algorithm
) -> TrainResult:
    """Train on a frozen dataset; metrics land in the series `<algorithm>-<iteration>`."""
    from rl_backend.config import load_recipe
    from rl_backend.hooks import Hooks
    from rl_backend.store_source import StoreSource
    from rl_backend.train import train as train_policy

    series = f"{algorithm}-{number}"
    # The SFT control did not sample this data: comparing its weights with the engine's log-probs would mean nothing.
    unmeasured = {"drift_segments": 0} if algorithm is Algorithm.SFT else {}
    recipe = context.config.sft_recipe if algorithm is Algorithm.SFT else context.config.recipe
    config = load_recipe(recipe, algorithm=str(algorithm), seed=context.config.seed, **unmeasured)
    assert dataset.id is not None
    with context.reporter.stage(f"iteration {number}: training {series}", 1) as progress:
        recorder = _Recorder(context, number=number, series=series, progress=progress)

        hooks = Hooks(on_start=recorder.start, on_step=recorder.step, should_stop=context.stop.is_set)
        source = StoreSource(context.store, dataset.id)
        out = context.folder / series

        def work() -> TrainResult:
            return train_policy(source, base=Path(start.path), out=out, config=config, hooks=hooks)

        try:
            result = await asyncio.to_thread(work)
        except BaseException:
            with suppress(KarlError):  # on a full disk this fails as well: the first error is the one to tell
                recorder.flush()
            raise
        recorder.flush()
    with context.store.session() as session:
        tokens = queries.token_check(session, dataset.id)
    _say(context, series, result, tokens)
    return result


async def train(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, algorithm: Algorithm
) -> Checkpoint:
    """Dataset -> checkpoint, with the loss of `algorithm`, from the weights of `start`. Raises: Stopped."""
    name = context.key(f"{algorithm}-{number}")
    with context.store.session() as session:
        held = [row for row in queries.checkpoints(session, run_id=context.run_id) if row.name == name]
    if held and Path(held[0].path).is_dir():
        return held[0]
    result = await train_checkpoint(context, number, dataset, start=start, algorithm=algorithm)
    if result.out is None:
        raise Stopped
    version = start.policy_version + 1
    write_profile(result.out, policy_version=version)
    with context.store.session() as session:
        return queries.save_checkpoint(
            session,
            Checkpoint(
                run_id=context.run_id,
                name=name,
                iteration=number,
                algorithm=algorithm,
                path=str(result.out),
                weights_sha256=result.weights_sha256,
                policy_version=version,
                dataset_id=dataset.id,
                parent_id=start.id,
            ),
        )


class _Recorder:
    """Metrics to the store in small transactions, and the bar to the screen."""

    def __init__(self, context: Context, *, number: int, series: str, progress: Progress) -> None:
        self._context, self._number, self._series, self._progress = context, number, series, progress
        self._points: list[tuple[int, str, float]] = []

    def start(self, step: int, steps: int) -> None:
        if step:
            self._context.reporter.say(f"{self._series}: going on behind step {step} of {steps}")
            self._progress.advance(step, total=steps)

    def step(self, step: int, steps: int, values: dict[str, float]) -> None:
        self._points += [(step, name, value) for name, value in values.items()]
        note = "  ".join(f"{label} {values[name]:+.2f}" for name, label in SHOWN.items() if name in values)
        self._progress.advance(1, note=note, total=steps)
        if step % 10 == 0:
            self.flush()

    def flush(self) -> None:
        points, self._points = self._points, []
        if points:
            with self._context.store.session() as session:
                queries.add_metrics(
                    session, self._context.run_id, iteration=self._number, series=self._series, points=points
                )


def _say(context: Context, series: str, result: Any, tokens: queries.TokenCheck) -> None:
    drift = result.drift
    told = (
        f"; engine and trainer log-probs differ by {drift.mean:.1e} nats in the mean, {drift.max:.1e} at most"
        if drift
        else ""
    )
    context.reporter.say(
        f"{series}: {result.groups} groups, {result.rollouts} rollouts, {result.segments} segments, "
        f"{result.steps} steps in {result.seconds:.0f} s ({result.tokens_per_second:,.0f} tokens/s){told}; "
        f"token ids of {tokens.identical} of {tokens.segments} segments are exactly what the engine saw"
    )
    points = [(0, "drift_mean", drift.mean), (0, "drift_max", drift.max)] if drift else []
    points += [(0, "tokens_identical", float(tokens.identical)), (0, "tokens_compared", float(tokens.segments))]
    with context.store.session() as session:
        queries.add_metrics(session, context.run_id, iteration=0, series=series, points=points)
