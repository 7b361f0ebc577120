"""Training tokens per second: verl as we set it up, beside a plain PyTorch loop over the same batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from karl.benches.train_store import Shape, bench_store, frozen_dataset

if TYPE_CHECKING:
    from rl_backend.batch import Batch
    from rl_backend.timing import Turn

WARM_UP = 2
BARE = {"bare_selective": True, "bare_full": False}
EQUAL_ROWS = "equal_rows"
CLOCKS = ("wall", "cpu")
MEANING = {
    "verl": "rl_backend's Trainer over verl's TrainingWorker: what `karl run` trains with",
    "bare_selective": "plain PyTorch, the head over trained tokens only",
    "bare_full": "plain PyTorch, the head over every token",
    "equal_rows": "verl on the same rows in micro-batches of equally many, as many as keep the longest within the cap",
    "micro_batches": "how many a step has, the most tokens in one (padding counted) and the cap, share of padding",
    "ratio": "verl over the bare loop of that name, batch by batch (median); above 1, verl is faster",
    "reading_share": "of the time of a step with verl: waiting for the next batch from the store",
    "wall, cpu": "by the clock; by the processor's time of all threads of this process",
}


class Case(NamedTuple):
    """A policy (None: write one to the folder given) and how the rollouts look that it is trained on."""

    name: str
    policy: Callable[[Path], Path]
    data: Shape
    batch_rollouts: int


def cases() -> list[Case]:
    """The shipped policy with its recipe's batches and prompts of its size; three million parameters; and lengths as
    searches have them: most short, a few as long as a micro-batch may be.
    """
    return [
        Case("shipped", _shipped, Shape(64, 8, tokens=(80, 320), turn=8, turn_every=48, vocab=1000), batch_rollouts=64),
        Case("random_3m", _random, Shape(32, 8, tokens=(200, 1000), turn=16, turn_every=64, vocab=2048), 16),
        Case("skewed", _shipped, Shape(64, 8, tokens=(64, 2048), turn=8, turn_every=48, vocab=1000, skew=1.2), 64),
    ]


def speed(case: Case, *, turns: int, threads: int | None, seed: int) -> dict[str, Any]:
    """Trains `case` with all trainers in turns, out of an SQLite store."""
    from rl_backend import timing
    from rl_backend.bare import BareTrainer
    from rl_backend.config import TrainConfig
    from rl_backend.index import build_index
    from rl_backend.loader import Loader
    from rl_backend.plan import Plan
    from rl_backend.store_source import StoreSource
    from rl_backend.verl_adapter import Trainer

    steps = WARM_UP + turns
    seen: list[Batch] = []
    per_epoch = case.data.groups * case.data.group_size // case.batch_rollouts
    config = TrainConfig(
        batch_rollouts=case.batch_rollouts, epochs=math.ceil(steps / per_epoch), lr=1e-6, balance="none"
    )
    with TemporaryDirectory(prefix="karl-bench-") as folder, bench_store() as store, timing.threads(threads) as used:
        source = StoreSource(store, frozen_dataset(store, case.data, name=case.name, seed=seed))
        index, base = build_index(source, config=config), case.policy(Path(folder))
        plan, loader = Plan(index.entries, config=config), Loader(source, index, config=config)
        bare = partial(BareTrainer, base, config=config, total_steps=steps)
        trainers = {name: bare(selective=selective).train_step for name, selective in BARE.items()}
        with closing(Trainer(base, config=config, total_steps=2 * steps)) as ours:
            trainers["verl"] = ours.train_step
            if case.data.skew:
                trainers[EQUAL_ROWS] = lambda batch: ours.train_step(equal_rows(batch, cap=config.micro_batch_tokens))
            batches = (seen.append(batch) or batch for _, batch in loader.batches(plan))
            taken = timing.take_turns(trainers, batches, warm_up=WARM_UP, turns=turns)
    return {
        "threads": used,
        "batch_rollouts": case.batch_rollouts,
        "micro_batches": fill_figures(seen, cap=config.micro_batch_tokens),
        **speed_figures(taken),
    }


def equal_rows(batch: Batch, *, cap: int) -> Batch:
    """The same rows as well as they can be cut without dynamic batching: sorted, and the longest within the cap."""
    rows = sorted(batch.rows, key=lambda row: len(row.segment.token_ids), reverse=True)
    size = max(1, cap // len(rows[0].segment.token_ids))
    return replace(batch, micro_batches=[rows[start : start + size] for start in range(0, len(rows), size)])


def fill_figures(batches: Sequence[Batch], *, cap: int) -> dict[str, float]:
    """How full micro-batches are, over all steps."""
    from rl_backend.batch import padded_tokens

    padded = [padded_tokens(rows) for batch in batches for rows in batch.micro_batches]
    return {
        "per_step": _median([len(batch.micro_batches) for batch in batches]),
        "most_tokens": max(padded),
        "cap": cap,
        "padding_share": round(1 - sum(batch.token_count for batch in batches) / sum(padded), 4),
    }


def speed_figures(turns: Sequence[Turn]) -> dict[str, Any]:
    """Medians over turns, by both clocks."""
    names = list(turns[0].steps)
    rates = {
        name: {f"tokens_per_{c}_second": _median([t.tokens / getattr(t.steps[name], c) for t in turns]) for c in CLOCKS}
        for name in names
    }
    ratios = {
        name: {c: _median([getattr(t.steps[name], c) / getattr(t.steps["verl"], c) for t in turns]) for c in CLOCKS}
        for name in names
        if name != "verl"
    }
    faster = {c: min(ratio[c] for name, ratio in ratios.items() if name != EQUAL_ROWS) for c in CLOCKS}
    return {
        "steps": len(turns),
        "tokens_per_step": _median([turn.tokens for turn in turns]),
        **rates,
        "ratio": {**ratios, "to_the_faster": faster},
        "reading_share": {c: _share(turns, c) for c in CLOCKS},
        "busy": round(sum(_all(turn, "cpu") for turn in turns) / sum(_all(turn, "wall") for turn in turns), 3),
    }


def _all(turn: Turn, clock: str) -> float:
    return sum(getattr(seconds, clock) for seconds in turn.steps.values())


def _share(turns: Sequence[Turn], clock: str) -> float:
    reading = sum(getattr(turn.reading, clock) for turn in turns)
    return round(reading / (reading + sum(getattr(turn.steps["verl"], clock) for turn in turns)), 5)


def _median(values: Sequence[float]) -> float:
    return float(f"{float(np.median(np.asarray(values))):.5g}")


def _shipped(_: Path) -> Path:
    from karl.tiny import POLICY_FOLDER

    return POLICY_FOLDER


def _random(folder: Path) -> Path:
    from rl_backend.random_model import SMALL, write_random_model

    write_random_model(folder / "base", SMALL, seed=0)
    return folder / "base"
