"""What stops a training that no longer learns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from rl_backend.config import TrainConfig
from rl_backend.health import Watch
from rl_backend.hooks import Hooks
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from rl_backend.source import MemorySource
from rl_backend.train import train
from store.errors import CollapseError, KarlError
from tests.rl_backend.toy import VOCAB, random_segment, recorded

WELL = {"loss": 0.2, "grad_norm": 1.0}
# A small beta1 puts V near the best reward: winners are hardly pulled, losers pushed with all of their reward.
CONFIG = TrainConfig(lr=2e-3, beta1=0.05, beta2=0.02, epochs=6, batch_rollouts=8, threads=1)


def alike(base: Path) -> list[TrainingRollout]:
    """Six groups of one winner and three losers that differ in their last token only: they rise and sink together."""
    draw, found = np.random.default_rng(0), []
    for group in range(6):
        segment = random_segment(draw, tokens=60)
        last = int(np.flatnonzero(segment.loss_mask)[-1])
        for i in range(4):
            ids = segment.token_ids.copy()
            ids[last] = (ids[last] + i) % VOCAB
            rewarded = TrainingSegment(ids, segment.loss_mask, segment.logprobs)
            found.append(TrainingRollout(group * 4 + i, group, float(i == 0), [rewarded]))
    return recorded(base, found)


def collapsing(base: Path, out: Path, **settings: float | None) -> list[dict[str, float]]:
    """The figures of every step until the training ended or was stopped."""
    seen: list[dict[str, float]] = []
    hooks = Hooks(on_step=lambda step, steps, figures: seen.append(figures))
    config = CONFIG.model_copy(update=settings)
    try:
        train(MemorySource(alike(base)), base=base, out=out, config=config, hooks=hooks)
    except CollapseError as exc:
        assert "collapsing" in str(exc) and "The batch of that step" in str(exc)
    return seen


def test_a_collapse_with_a_falling_loss_is_seen_and_stopped(base: Path, tmp_path: Path):
    blind = collapsing(base, tmp_path / "blind", collapse_nats=None)
    assert blind[-1]["loss"] < 0.3 * blind[0]["loss"]  # by the loss alone this is a success
    assert blind[-1]["logratio_winners"] < -30  # and the winning rollouts are e^30 times less likely
    assert (tmp_path / "blind").is_dir() and len(blind) == 18
    watched = collapsing(base, tmp_path / "watched")
    assert len(watched) < 8 and watched[-1]["loss"] < watched[0]["loss"]
    assert not (tmp_path / "watched").exists()
    assert watched[-1]["weighted_reward"] < 0.01 * watched[0]["weighted_reward"]


def test_one_odd_batch_is_no_collapse():
    watch = Watch(TrainConfig())
    watch.check(1, {**WELL, "logratio_winners": -30.0})
    watch.check(2, {**WELL, "logratio_winners": 0.5})
    with pytest.raises(KarlError, match=r"step 4: winning rollouts .*limit collapse_nats = 10; winners -1\d\.\d"):
        for step in (3, 4):
            watch.check(step, {**WELL, "logratio_winners": -15.0})


@pytest.mark.parametrize("algorithm", ["oapl", "grpo"])
def test_losers_may_fall_but_not_without_end(algorithm: str):
    watch = Watch(TrainConfig.model_validate({"algorithm": algorithm}))
    for step in range(20):
        watch.check(step, {**WELL, "logratio_losers": -40.0})
    mend = {"oapl": "beta2", "grpo": "kl_coef"}[algorithm]
    with pytest.raises(KarlError, match=rf"losing rollouts .*collapse_losers_nats = 100.*Raise {mend} \(now"):
        for step in range(20, 30):
            watch.check(step, {**WELL, "logratio_losers": -500.0})


def test_sft_has_no_reference_to_fall_from():
    watch = Watch(TrainConfig(algorithm="sft"))
    for step in range(20):
        watch.check(step, {**WELL, "logratio_winners": -500.0})
    with pytest.raises(KarlError, match=r"no longer finish .*collapsing\. Lower lr"):
        watch.check_unfinished(20, 0.9)


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_stops(name: str, value: float):
    with pytest.raises(KarlError, match=rf"step 3: {name} is (nan|inf)\. Lower lr .*The last good checkpoint is kept"):
        Watch(TrainConfig(), last_good=Path("kept")).check(3, {**WELL, name: value})
