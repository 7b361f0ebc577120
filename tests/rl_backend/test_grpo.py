"""GRPO: verl's clipped policy loss on the same batches, held against an evaluation of its own in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rl_backend import losses
from rl_backend.batch import PADDING, Batch, Row, pack
from rl_backend.config import TrainConfig, load_recipe
from rl_backend.hooks import Hooks
from rl_backend.index import build_index, group_advantages
from rl_backend.micro_batch import tensordict
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from rl_backend.source import MemorySource
from rl_backend.train import train
from rl_backend.verl_adapter import Trainer
from rl_backend.verl_import import import_verl
from tests.rl_backend.toy import examples_of, plain_logprobs, random_rollouts

CONFIG = TrainConfig(algorithm="grpo", lr=2e-3, epochs=6, batch_rollouts=8, micro_batch_tokens=400, threads=1)


def drifted(rollouts: list[TrainingRollout], *, nats: float) -> list[TrainingRollout]:
    """As if another policy had sampled: ratios on both sides of every clip."""
    noise = np.random.default_rng(5)

    def moved(segment: TrainingSegment) -> TrainingSegment:
        logprobs = segment.logprobs + noise.normal(0, nats, len(segment.logprobs)).astype("f4")
        return TrainingSegment(segment.token_ids, segment.loss_mask, logprobs)

    return [TrainingRollout(r.rollout_id, r.group_id, r.reward, [moved(s) for s in r.segments]) for r in rollouts]


def surrogate(base: Path, rollouts: list[TrainingRollout], *, config: TrainConfig) -> tuple[float, float]:
    """The clipped surrogate, a mean over all trained tokens, and the share of them that a clip holds; in float64."""
    rewards: dict[int, list[float]] = {}
    for rollout in rollouts:
        rewards.setdefault(rollout.group_id, []).append(rollout.reward)
    costs, held = [], 0
    for rollout in rollouts:
        group = np.array(rewards[rollout.group_id])
        advantage = (rollout.reward - group.mean()) / (group.std(ddof=1) + 1e-6)
        for segment, fresh in zip(rollout.segments, plain_logprobs(base, list(rollout.segments)), strict=True):
            for now, old in zip(fresh[segment.loss_mask > 0], segment.logprobs[segment.loss_mask > 0], strict=True):
                difference = float(now) - float(old)
                ratio = np.exp(difference)
                clipped = min(max(ratio, 1 - config.clip_low), 1 + config.clip_high)
                gain = min(ratio * advantage, clipped * advantage)
                held += clipped * advantage < ratio * advantage
                if advantage < 0:
                    gain = max(gain, config.clip_dual * advantage)
                kl = np.exp(-difference) + difference - 1
                costs.append(-gain + config.kl_coef * kl)
    return float(np.mean(costs)), held / len(costs)


@pytest.mark.parametrize("settings", [{}, {"clip_low": 0.1, "clip_high": 0.3, "clip_dual": 1.5, "kl_coef": 0.5}])
def test_the_first_loss_is_the_clipped_surrogate_in_float64(base: Path, tmp_path: Path, settings: dict[str, float]):
    config = CONFIG.model_copy(update={**settings, "batch_rollouts": 99, "max_steps": 1, "collapse_nats": None})
    rollouts, seen = drifted(random_rollouts(base), nats=0.5), []
    hooks = Hooks(on_step=lambda step, steps, figures: seen.append(figures))
    train(MemorySource(rollouts), base=base, out=tmp_path / "x", config=config, hooks=hooks)
    expected, held = surrogate(base, rollouts, config=config)
    assert seen[0]["loss"] == pytest.approx(expected, rel=1e-5)
    assert seen[0]["clip_fraction"] == pytest.approx(held, abs=1e-6) and 0.1 < held < 0.9
    assert seen[0]["clip_fraction_dual"] > 0
    assert not any(name.startswith("residual") for name in seen[0])


def test_advantages_are_verls_own():
    import_verl()
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    rewards = [1.0, 0.0, 0.25, 0.0, 1.0, 1.0, 0.0, 0.5]
    whole, _ = compute_grpo_outcome_advantage(
        torch.tensor(rewards, dtype=torch.float64)[:, None], torch.ones(8, 1), np.zeros(8, dtype=int)
    )
    found = group_advantages(rewards, config=CONFIG)
    assert found == pytest.approx(whole[:, 0].tolist(), rel=1e-9)
    assert sum(found) == pytest.approx(0.0, abs=1e-9)
    assert all((advantage > 0) == (reward > np.mean(rewards)) for advantage, reward in zip(found, rewards, strict=True))


@pytest.mark.parametrize("rewards", [[0.5] * 4, [1.0]])
def test_a_group_without_contrast_teaches_nothing(rewards: list[float]):
    assert group_advantages(rewards, config=CONFIG) == [0.0] * len(rewards)


def test_training_raises_winners_over_losers_and_the_clip_sets_in(base: Path, tmp_path: Path):
    seen: list[dict[str, float]] = []
    hooks = Hooks(on_step=lambda step, steps, figures: seen.append(figures))
    result = train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)
    assert result.steps == 18
    assert seen[-1]["logratio_winners"] > 1.0 > -1.0 > seen[-1]["logratio_losers"]
    assert seen[-1]["weighted_reward"] > seen[0]["weighted_reward"]
    # Nothing is off-policy at first; over an offline set each epoch starts farther from what sampled it.
    assert seen[0]["clip_fraction"] == 0.0
    assert seen[-1]["clip_fraction"] > 0.2


def test_micro_batching_does_not_change_the_gradient(base: Path):
    examples = examples_of(drifted(random_rollouts(base), nats=0.3), config=CONFIG)
    found = []
    for budget in (60, 10**6):
        config = CONFIG.model_copy(update={"micro_batch_tokens": budget, "kl_coef": 0.1, "log_entropy": True})
        trainer = Trainer(base, config=config, total_steps=1)
        found.append(trainer.train_step(pack(examples, config=config)))
        trainer.close()
    for name in ("loss", "grad_norm", "clip_fraction", "clip_fraction_dual", "entropy", "logratio_winners"):
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-5), name
    assert 0.8 * np.log(128) < found[0]["entropy"] < np.log(128)


@pytest.mark.parametrize("algorithm", ["oapl", "grpo", "sft"])
def test_the_mean_over_ranks_is_the_loss_of_the_whole(base: Path, algorithm: str):
    """Every rank's share through the loss itself, with the sizes that verl hands it; one micro-batch is padding."""
    config = CONFIG.model_copy(update={"algorithm": algorithm, "sft_on": "all", "kl_coef": 0.1})
    examples = examples_of(drifted(random_rollouts(base), nats=0.3), config=config)
    import_verl()
    totals = [over_ranks(pack(examples, config=config, ranks=ranks), config=config) for ranks in (1, 2, 7)]
    assert totals == pytest.approx([totals[0]] * 3, rel=1e-5)


def over_ranks(batch: Batch, *, config: TrainConfig) -> float:
    loss = losses.loss_function(config)
    per_rank = []
    for rank in range(batch.ranks):
        micro_batches = [*batch.share(rank), [PADDING, PADDING]]
        parts = [loss(**inputs(rows, batch), dp_group=None)[0].item() for rows in micro_batches]
        per_rank.append(sum(parts))
    return float(np.mean(per_rank))


def inputs(rows: list[Row], batch: Batch) -> dict[str, Any]:
    """A micro-batch as verl hands it to a loss; the policy's log-probs are the recorded ones and 0.1 nats more."""
    recorded = jagged([row.segment.logprobs for row in rows])
    shifted = torch.nested.nested_tensor_from_jagged(torch.roll(recorded.values(), -1) + 0.1, recorded.offsets())
    tensors = {
        "input_ids": jagged([row.segment.token_ids for row in rows]),
        "loss_mask": jagged([row.segment.loss_mask.astype("i8") for row in rows]),
        "ref_logprobs": recorded,
        "advantage": torch.tensor([row.advantage for row in rows], dtype=torch.float32),
        "rollout": torch.tensor([row.rollout for row in rows]),
    }
    sizes = {
        "dp_size": batch.ranks,
        "batch_num_tokens": batch.trained_token_count,
        "loss_terms": batch.segment_count,
    }
    return {"model_output": {"log_probs": shifted}, "data": tensordict(tensors, sizes)}


def jagged(arrays: list[NDArray[Any]]) -> Any:
    offsets = np.cumsum([0, *(len(array) for array in arrays)])
    return torch.nested.nested_tensor_from_jagged(torch.from_numpy(np.concatenate(arrays)), torch.from_numpy(offsets))


def test_the_recipe_is_oapls_but_for_the_loss():
    ours, theirs = load_recipe("tiny").model_dump(), load_recipe("grpo").model_dump()
    assert {key for key in ours if ours[key] != theirs[key]} == {"algorithm"}


def test_every_rollout_of_a_group_is_indexed_with_its_advantage(base: Path):
    index = build_index(MemorySource(random_rollouts(base, groups=1)), config=CONFIG)
    assert [np.sign(entry.advantage) for entry in index.entries] == [1, -1, 1, -1]
