"""LoRA: only adapters move, what is saved serves as it is, a killed training goes on exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from rl_backend.batch import pack
from rl_backend.checkpoint import load_weights, weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.source import MemorySource
from rl_backend.train import train
from rl_backend.verl_adapter import Trainer
from store.errors import UsageError
from tests.rl_backend.test_resume import losses_until, state
from tests.rl_backend.toy import examples_of, make_glm_base, plain_logprobs, random_rollouts

CONFIG = TrainConfig(
    lr=2e-3,
    epochs=2,
    batch_rollouts=8,
    micro_batch_tokens=400,
    threads=1,
    checkpoint_steps=3,
    lora_rank=4,
    lora_alpha=8,
)
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def test_only_adapters_move(base: Path):
    trainer = Trainer(base, config=CONFIG, total_steps=3)
    module = trainer._worker.engine.module
    before = {name: weight.full_tensor().detach().clone() for name, weight in module.named_parameters()}
    batch = pack(examples_of(random_rollouts(base), config=CONFIG), config=CONFIG)
    losses = [trainer.train_step(batch)["loss"] for _ in range(3)]
    moved = {name for name, weight in module.named_parameters() if not torch.equal(weight.full_tensor(), before[name])}
    trainer.close()
    assert losses[2] < losses[0]
    assert moved == {name for name in before if "lora_" in name} and len(moved) == 2 * 2 * 7


@pytest.mark.parametrize("make", ["qwen", "glm"])
def test_the_saved_folder_is_the_trained_policy(base: Path, tmp_path: Path, make: str):
    base = base if make == "qwen" else make_glm_base(tmp_path / "glm")
    config = CONFIG if make == "qwen" else CONFIG.model_copy(update={"lora_targets": ATTENTION})
    rollouts = random_rollouts(base)
    segments = [segment for rollout in rollouts for segment in rollout.segments]
    trainer = Trainer(base, config=config, total_steps=3)
    for _ in range(3):
        trainer.train_step(pack(examples_of(rollouts, config=config), config=config))
    trained = trainer.logprobs(segments)
    trainer.save(tmp_path / "out")
    trainer.close()
    for ours, plain in zip(trained, plain_logprobs(tmp_path / "out", segments), strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-5)
    assert max(np.abs(a - b).max() for a, b in zip(trained, plain_logprobs(base, segments), strict=True)) > 0.01
    assert set(load_weights(tmp_path / "out")) == set(load_weights(base))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in base.iterdir()} | {"adapter"}


def test_the_adapter_beside_it_gives_the_same_policy(base: Path, tmp_path: Path):
    result = train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=CONFIG)
    assert result.out == tmp_path / "out"
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(model, tmp_path / "out" / "adapter").merge_and_unload().state_dict()
    for name, weight in load_weights(tmp_path / "out").items():
        torch.testing.assert_close(adapted[name], weight, atol=1e-6, rtol=1e-5)


def test_the_best_of_several_evaluations_keeps_its_adapter(base: Path, tmp_path: Path):
    scores = iter([1.0, 0.0])
    hooks = Hooks(evaluate=lambda epoch, step, folder: Evaluation(score=next(scores)))
    train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    assert "adapter/adapter_model.safetensors" in names and not any(".trainer" in name for name in names)


def test_a_killed_training_goes_on_exactly(base: Path, tmp_path: Path):
    rollouts = random_rollouts(base)
    whole = losses_until(None, rollouts, base=base, out=tmp_path / "whole", config=CONFIG)
    begun = losses_until(4, rollouts, base=base, out=tmp_path / "out", config=CONFIG)
    shard = state(tmp_path / "out", step=3) / ".trainer" / "model_world_size_1_rank_0.pt"
    assert all("lora_" in name for name in torch.load(shard, weights_only=False))
    rest = losses_until(None, rollouts, base=base, out=tmp_path / "out", config=CONFIG)
    assert min(rest) == 4 and {**begun, **rest} == whole
    assert weights_sha256(tmp_path / "out") == weights_sha256(tmp_path / "whole")


def test_targets_that_cannot_be_merged_or_found_are_named(base: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"lora_targets reach .*experts.*Name layers"):
        Trainer(make_glm_base(tmp_path / "glm"), config=CONFIG, total_steps=1)
    with pytest.raises(UsageError, match=r"no layer of the base has such a name"):
        Trainer(base, config=CONFIG.model_copy(update={"lora_targets": ("w_q",)}), total_steps=1)
