"""What `gpu_check.py` does on the device, one function per section of its figures."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rl_backend.bare import BareTrainer, LoopSettings
from rl_backend.batch import Batch, pack
from rl_backend.exact import exact_logprobs, exact_loss, exact_value
from rl_backend.oapl import advantages
from rl_backend.random_model import TOY, Shape, write_random_model
from rl_backend.rollouts import Example, TrainingRollout, TrainingSegment
from rl_backend.timing import take_turns
from rl_backend.utilisation import batch_of
from rl_backend.utilisation import utilisation as utilisation_of


class Size(NamedTuple):
    """What is timed: model, rows and their length per step, rows per micro-batch, timed steps, matrix product."""

    model: Shape
    rows: int
    length: int
    micro_rows: int
    turns: int
    matmul: int


def exactness(base: Path, device: str) -> dict[str, Any]:
    """Relative distance of the device's loss from float64 on the CPU, per kind of loss and precision."""
    rollouts, found = _rollouts(base, seed=0, lag=0.2), dict[str, Any]()
    logp = exact_logprobs(base, rollouts)
    for loss in ("per_segment", "per_rollout"):
        settings = LoopSettings(segment_loss=loss)
        batch = _batch(rollouts, settings, device)
        exact = exact_loss(rollouts, logp, beta1=settings.beta1, beta2=settings.beta2, segment_loss=loss)
        for precision in ("float32", "bfloat16"):
            bf16 = precision == "bfloat16"
            trainer = BareTrainer(base, config=settings, total_steps=1, device=device, bf16=bf16)
            found[f"{loss} {precision}"] = abs(trainer.train_step(batch)["loss"] / exact - 1)
    rewards = [0.0, 0.25, 1.0]
    cold = advantages(torch.tensor(rewards, device=device), beta1=1e-3)
    error = max(abs(a - (r - exact_value(rewards, beta1=1e-3))) for a, r in zip(cold.tolist(), rewards, strict=True))
    return {**found, "advantage at beta1 = 1e-3": error}


def step(base: Path, device: str, *, verl: str | None) -> dict[str, Any]:
    """Two steps on one batch: the loss falls, and as on the CPU."""
    settings = LoopSettings(lr=2e-3)
    batch = _batch(_rollouts(base, seed=0, lag=0.2), settings, device)

    def steps(where: str) -> list[dict[str, float]]:
        trainer = BareTrainer(base, config=settings, total_steps=10, device=where)
        return [trainer.train_step(batch) for _ in range(2)]

    here, on_cpu = steps(device), steps("cpu")
    figures = {
        "loss": here[0]["loss"],
        "loss of the next step": here[1]["loss"],
        "grad_norm": here[0]["grad_norm"],
        "next step against the CPU": abs(here[1]["loss"] / on_cpu[1]["loss"] - 1),
    }
    return figures if verl is None else {**figures, "verl against the loop": _verl_error(base, batch, here[0]["loss"])}


def learning(base: Path, device: str, *, seeds: range) -> dict[str, Any]:
    """Eighteen steps over one dataset; winners' mean log-ratio above losers' at the end, per seed."""
    gaps = [_gap(base, device, seed=seed) for seed in seeds]
    return {"seeds": len(gaps), "gap_nats": statistics.median(gaps), "smallest_gap_nats": min(gaps)}


def speed(base: Path, device: str, size: Size) -> dict[str, Any]:
    """Tokens a second of the plain loop in float32 and bfloat16, the head over trained tokens or over all."""
    write_random_model(base, size.model, seed=0)
    batch = batch_of(size.model, rows=size.rows, length=size.length, micro_rows=size.micro_rows, seed=0)
    trainers = {
        f"{'selective' if selective else 'full'} {'bfloat16' if bf16 else 'float32'}": BareTrainer(
            base,
            config=LoopSettings(lr=1e-6),
            total_steps=100,
            selective=selective,
            device=device,
            bf16=bf16,
        ).train_step
        for selective in (True, False)
        for bf16 in (False, True)
    }
    taken = take_turns(trainers, [batch] * (size.turns + 2), warm_up=2, turns=size.turns)
    seconds = {name: statistics.median(turn.steps[name].wall for turn in taken) for name in trainers}
    return {f"tokens_per_second {name}": round(batch.token_count / spent, 1) for name, spent in seconds.items()}


def utilisation(base: Path, device: str, size: Size) -> dict[str, Any]:
    parameters = write_random_model(base, size.model, seed=0)
    batch = batch_of(size.model, rows=size.rows, length=size.length, micro_rows=size.micro_rows, seed=0)
    trainer = BareTrainer(base, config=LoopSettings(lr=1e-6), total_steps=100, device=device, bf16=True)
    trainers = {"selective bfloat16": trainer.train_step}
    found = utilisation_of(trainers, batch, size.model, device=device, turns=size.turns, matmul=size.matmul)
    return {"parameters": parameters, **found}


def _rollouts(base: Path, *, seed: int, lag: float) -> list[TrainingRollout]:
    """Six questions, four rollouts each, every second one a winner; recorded `lag` nats a token off the policy."""
    draw = np.random.default_rng(seed)

    def segment() -> TrainingSegment:
        length = int(draw.integers(24, 120))
        ids = draw.integers(0, TOY.vocab, length).astype(np.int32)
        return TrainingSegment(ids, (np.arange(length) % 12 >= 6).astype(np.uint8), np.zeros(length, np.float32))

    bare = [
        TrainingRollout(n, n // 4, float(n % 2 == 0), [segment() for _ in range(draw.integers(1, 4))])
        for n in range(24)
    ]
    recorded = iter([logp for found in exact_logprobs(base, bare) for logp in found])

    def lagged(old: TrainingSegment) -> TrainingSegment:
        noisy = next(recorded) + draw.normal(0.0, lag, len(old.token_ids))
        return dataclasses.replace(old, logprobs=(noisy * old.loss_mask).astype(np.float32))

    return [dataclasses.replace(old, segments=[lagged(s) for s in old.segments]) for old in bare]


def _batch(rollouts: Sequence[TrainingRollout], settings: LoopSettings, device: str) -> Batch:
    """One step over whole groups, the advantages settled on the device."""
    found: list[Example] = []
    for group in sorted({rollout.group_id for rollout in rollouts}):
        members = [rollout for rollout in rollouts if rollout.group_id == group]
        rewards_G = torch.tensor([rollout.reward for rollout in members], dtype=torch.float64, device=device)
        settled = advantages(rewards_G, beta1=settings.beta1).tolist()
        found += [Example(r.rollout_id, r.reward, a, tuple(r.segments)) for r, a in zip(members, settled, strict=True)]
    return pack(found, config=settings)


def _verl_error(base: Path, batch: Batch, expected: float) -> float:
    from rl_backend.config import TrainConfig
    from rl_backend.verl_adapter import Trainer

    trainer = Trainer(base, config=TrainConfig(lr=2e-3), total_steps=10)
    try:
        return abs(trainer.train_step(batch)["loss"] / expected - 1)
    finally:
        trainer.close()


def _gap(base: Path, device: str, *, seed: int) -> float:
    rollouts = _rollouts(base, seed=seed, lag=0.0)
    settings = LoopSettings(lr=2e-3)
    batch = _batch(rollouts, settings, device)
    trainer = BareTrainer(base, config=settings, total_steps=18, device=device)
    for _ in range(18):
        trainer.train_step(batch)
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for rollout in rollouts:
        for segment, logp in zip(rollout.segments, trainer.logprobs(list(rollout.segments)), strict=True):
            ratios[rollout.reward > 0.5].append(float((logp - segment.logprobs).sum()))
    return statistics.fmean(ratios[True]) - statistics.fmean(ratios[False])
