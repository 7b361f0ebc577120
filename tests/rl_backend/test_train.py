"""Whole trainings through verl's own worker on a random 100 k-parameter Qwen3."""

from __future__ import annotations

import gc
import logging
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Qwen3ForCausalLM

from rl_backend.bare import BareTrainer
from rl_backend.batch import pack
from rl_backend.checkpoint import load_weights, weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.hooks import Hooks
from rl_backend.plan import Plan
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from rl_backend.source import MemorySource
from rl_backend.train import train
from rl_backend.verl_adapter import Trainer
from store.errors import KarlError, UsageError
from tests.rl_backend.test_checkpoint import largest_file
from tests.rl_backend.toy import examples_of, loader_of, make_base, plain_logprobs, random_rollouts

CONFIG = TrainConfig(lr=2e-3, epochs=6, batch_rollouts=8, micro_batch_tokens=400, threads=1)


def stepped(seen: list[Any], *, name: str | None = None) -> Hooks:
    """Hooks that put every step's figures, or the one called `name`, into `seen`."""
    return Hooks(on_step=lambda step, steps, figures: seen.append(figures[name] if name else figures))


def class_logratios(before: Path, after: Path, rollouts: list[TrainingRollout]) -> tuple[float, float]:
    """Mean log-ratio of winners' and losers' segments between two folders, by plain transformers."""
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for rollout in rollouts:
        segments = list(rollout.segments)
        for old, new in zip(plain_logprobs(before, segments), plain_logprobs(after, segments), strict=True):
            ratios[rollout.reward > 0.5].append(float((new - old).sum()))
    return float(np.mean(ratios[True])), float(np.mean(ratios[False]))


def test_oapl_raises_winners_over_losers(base: Path, tmp_path: Path):
    rollouts, seen = random_rollouts(base), []
    result = train(
        MemorySource(rollouts),
        base=base,
        out=tmp_path / "out",
        config=CONFIG,
        hooks=Hooks(on_step=lambda i, n, f: seen.append((i, n, f))),
    )
    winners, losers = class_logratios(base, tmp_path / "out", rollouts)
    assert winners > 1.0 and losers < -1.0
    assert [(i, n) for i, n, _ in seen] == [(i, 18) for i in range(1, 19)]
    assert seen[-1][2]["loss"] < 0.5 * seen[0][2]["loss"]
    assert seen[0][2]["logratio_winners"] == pytest.approx(0.0, abs=1e-3)  # nothing moves before the first step
    assert result.steps == result.planned_steps == 18 and not result.stopped
    assert result.tokens == 6 * sum(len(s.token_ids) for r in rollouts for s in r.segments)
    assert result.weights_sha256 == weights_sha256(tmp_path / "out") != weights_sha256(base)


def test_first_loss_is_the_equation_in_float64(base: Path, tmp_path: Path):
    rollouts, seen = random_rollouts(base), []
    noise = np.random.default_rng(5)
    shifted = [
        TrainingRollout(
            r.rollout_id,
            r.group_id,
            r.reward,
            [
                TrainingSegment(
                    s.token_ids, s.loss_mask, s.logprobs + noise.normal(0, 0.3, len(s.logprobs)).astype("f4")
                )
                for s in r.segments
            ],
        )
        for r in rollouts
    ]
    for segment_loss in ("per_segment", "per_rollout"):
        config = CONFIG.model_copy(update={"segment_loss": segment_loss, "batch_rollouts": 99, "max_steps": 1})
        train(
            MemorySource(shifted),
            base=base,
            out=tmp_path / "x",
            config=config,
            hooks=stepped(seen, name="loss"),
        )
    exact = np.log((np.e + 1) / 2)  # V of two winners and two losers at beta1 = 1
    squares: dict[str, list[float]] = {"per_segment": [], "per_rollout": []}
    for rollout in shifted:
        fresh = plain_logprobs(base, list(rollout.segments))
        sums = [
            float(((new.astype("f8") - s.logprobs) * s.loss_mask).sum())
            for new, s in zip(fresh, rollout.segments, strict=True)
        ]
        squares["per_segment"] += [(0.1 * value - (rollout.reward - exact)) ** 2 for value in sums]
        squares["per_rollout"].append((0.1 * sum(sums) - (rollout.reward - exact)) ** 2)
    assert seen == pytest.approx([np.mean(squares["per_segment"]), np.mean(squares["per_rollout"])], rel=2e-6)


def test_micro_batching_does_not_change_the_gradient(base: Path):
    examples = examples_of(random_rollouts(base), config=CONFIG)
    losses, norms = [], []
    for budget in (100, 10**6):
        config = CONFIG.model_copy(update={"micro_batch_tokens": budget, "segment_loss": "per_rollout"})
        trainer = Trainer(base, config=config, total_steps=1)
        figures = trainer.train_step(pack(examples, config=config))
        trainer.close()
        losses.append(figures["loss"])
        norms.append(figures["grad_norm"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_drift_against_plain_transformers_is_below_a_thousandth(base: Path, tmp_path: Path):
    result = train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=CONFIG)
    assert result.drift is not None
    assert result.drift.mean < 1e-5 and result.drift.max < 1e-3
    assert result.drift.tokens > 500


def test_verl_and_a_plain_loop_have_the_same_losses(base: Path):
    rollouts = random_rollouts(base)
    config = CONFIG.model_copy(update={"epochs": 4})
    loader = loader_of(rollouts, config=config)
    ours = Trainer(base, config=config, total_steps=12)
    plain = [BareTrainer(base, config=config, total_steps=12, selective=selective) for selective in (True, False)]
    for _, batch in loader.batches(Plan(loader.index.entries, config=config)):
        found, *expected = (trainer.train_step(batch) for trainer in (ours, *plain))
        for figures in expected:
            assert found["loss"] == pytest.approx(figures["loss"], rel=1e-3)
            assert found["grad_norm"] == pytest.approx(figures["grad_norm"], rel=1e-2)
    ours.close()


def test_drift_sees_a_wrong_log_prob(base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    rollouts = random_rollouts(base)
    for rollout in rollouts:
        for segment in rollout.segments:
            segment.logprobs[segment.loss_mask > 0] += 0.5
    config = CONFIG.model_copy(update={"epochs": 1, "collapse_nats": None})
    result = train(MemorySource(rollouts), base=base, out=tmp_path / "out", config=config)
    assert result.drift is not None and result.drift.mean == pytest.approx(0.5, abs=1e-3)
    assert "differ by 0.5 nats" in caplog.text


def test_trainer_reference_replaces_what_the_engine_recorded(base: Path, tmp_path: Path):
    rollouts, seen = random_rollouts(base), []
    for rollout in rollouts:
        for segment in rollout.segments:
            segment.logprobs[:] = -99.0
    config = CONFIG.model_copy(update={"reference": "trainer", "max_steps": 1})
    train(
        MemorySource(rollouts),
        base=base,
        out=tmp_path / "out",
        config=config,
        hooks=stepped(seen),
    )
    assert seen[0]["logratio"] == pytest.approx(0.0, abs=1e-4)


def test_reloaded_checkpoint_is_the_trained_policy(base: Path, tmp_path: Path):
    rollouts = random_rollouts(base)
    segments = [segment for rollout in rollouts for segment in rollout.segments]
    examples = examples_of(rollouts, config=CONFIG)
    trainer = Trainer(base, config=CONFIG, total_steps=3)
    for _ in range(3):
        trainer.train_step(pack(examples, config=CONFIG))
    trained = trainer.logprobs(segments)
    trainer.save(tmp_path / "out")
    for ours, plain in zip(trained, plain_logprobs(tmp_path / "out", segments), strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-5)
    trainer.close()
    assert {path.name for path in base.iterdir()} == {path.name for path in (tmp_path / "out").iterdir()}
    assert (tmp_path / "out" / "karl.json").read_text() == (base / "karl.json").read_text()
    assert {t.dtype for t in load_weights(tmp_path / "out").values()} == {torch.float32}


def test_an_untied_head_trains_saves_and_loads(tmp_path: Path):
    base = make_base(tmp_path / "untied", seed=3, tied=False)
    rollouts = random_rollouts(base, groups=2)
    result = train(
        MemorySource(rollouts), base=base, out=tmp_path / "out", config=CONFIG.model_copy(update={"epochs": 2})
    )
    assert result.drift is not None and result.drift.max < 1e-3
    moved = load_weights(tmp_path / "out")
    assert (moved["lm_head.weight"] - load_weights(base)["lm_head.weight"]).abs().max() > 1e-4
    Qwen3ForCausalLM.from_pretrained(tmp_path / "out")


def test_a_full_disk_loses_nothing_and_the_save_can_be_repeated(base: Path, tmp_path: Path):
    trainer = Trainer(base, config=CONFIG, total_steps=1)
    trainer.save(tmp_path / "out")
    before = weights_sha256(tmp_path / "out")
    trainer.train_step(pack(examples_of(random_rollouts(base), config=CONFIG), config=CONFIG))
    with pytest.raises(KarlError, match="could not be written"), largest_file(10_000):
        trainer.save(tmp_path / "out")
    assert weights_sha256(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    trainer.save(tmp_path / "out")
    assert weights_sha256(tmp_path / "out") != before
    trainer.close()


def test_two_trainings_in_one_process_do_not_meet(base: Path, tmp_path: Path):
    other = make_base(tmp_path / "other", seed=9)
    config = CONFIG.model_copy(update={"epochs": 1})
    first = train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "a", config=config)
    train(MemorySource(random_rollouts(other)), base=other, out=tmp_path / "b", config=config)
    again = train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "c", config=config)
    assert first.weights_sha256 == again.weights_sha256


def test_a_closed_trainer_gives_its_memory_back(base: Path):
    trainer = Trainer(base, config=CONFIG, total_steps=1)
    trainer.train_step(pack(examples_of(random_rollouts(base), config=CONFIG), config=CONFIG))
    weight = weakref.ref(next(trainer._worker.engine.module.parameters()))
    trainer.close()
    gc.collect()
    assert weight() is None


def test_sft_on_all_clones_from_a_random_start(base: Path, tmp_path: Path):
    rollouts = random_rollouts(base, groups=2)
    config = TrainConfig(
        algorithm="sft", sft_on="all", lr=3e-3, epochs=30, batch_rollouts=8, drift_segments=0, threads=1
    )
    seen: list[float] = []
    result = train(
        MemorySource(rollouts),
        base=base,
        out=tmp_path / "out",
        config=config,
        hooks=stepped(seen, name="loss"),
    )
    assert seen[0] == pytest.approx(np.log(128), abs=0.3) and seen[-1] < 0.5 * seen[0]
    trained = sum(int(s.loss_mask.sum()) for r in rollouts for s in r.segments)
    fresh = plain_logprobs(base, [s for r in rollouts for s in r.segments])
    assert seen[0] == pytest.approx(-sum(float(x.sum()) for x in fresh) / trained, rel=1e-5)
    assert result.drift is None


def test_entropy_is_measured_when_asked(base: Path, tmp_path: Path):
    seen: list[dict[str, float]] = []
    config = CONFIG.model_copy(update={"log_entropy": True, "max_steps": 1})
    train(
        MemorySource(random_rollouts(base)),
        base=base,
        out=tmp_path / "x",
        config=config,
        hooks=stepped(seen),
    )
    assert 0.8 * np.log(128) < seen[0]["entropy"] < np.log(128)


def test_nan_weights_stop_the_training(base: Path, tmp_path: Path):
    model = Qwen3ForCausalLM.from_pretrained(base)
    model.model.norm.weight.data[0] = float("nan")
    model.save_pretrained(tmp_path / "nan")
    with pytest.raises(KarlError, match=r"training step 1: loss is nan.*lr"):
        train(MemorySource(random_rollouts(base)), base=tmp_path / "nan", out=tmp_path / "out", config=CONFIG)
    assert not (tmp_path / "out").exists()


def test_a_collapse_stops_the_training(base: Path, tmp_path: Path):
    config = CONFIG.model_copy(update={"beta2": 1e-4, "lr": 0.1, "epochs": 40})
    with pytest.raises(
        KarlError, match=r"collapsing\. Raise beta2 .* No checkpoint was written\. The batch of"
    ) as found:
        train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=config)
    (kept,) = (tmp_path / "out.training").glob("*/*")
    assert str(kept) in str(found.value)
    held = np.load(kept)
    assert held["lengths"].sum() == len(held["token_ids"]) and set(held["advantage"] > 0) == {True, False}


def test_a_missing_base_is_named_before_anything_is_loaded(tmp_path: Path):
    with pytest.raises(UsageError, match="no such model folder"):
        train(MemorySource([]), base=tmp_path / "none", out=tmp_path / "out", config=CONFIG)


def test_nothing_is_printed_and_nothing_stays_behind(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    environment, handlers, threads = dict(os.environ), list(logging.root.handlers), torch.get_num_threads()
    train(MemorySource(random_rollouts(base, groups=1)), base=base, out=tmp_path / "out", config=CONFIG)
    assert capfd.readouterr().out == ""
    assert dict(os.environ) == environment
    assert logging.root.handlers == handlers
    assert torch.get_num_threads() == threads
