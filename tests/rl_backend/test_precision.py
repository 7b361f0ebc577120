"""Gradient checkpointing changes no figure; bf16 mixed precision changes them by its rounding, weights stay fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from rl_backend.batch import pack
from rl_backend.checkpoint import load_weights
from rl_backend.config import TrainConfig
from rl_backend.verl_adapter import Trainer
from tests.rl_backend.toy import examples_of, random_rollouts


def trained(base: Path, out: Path, **settings: Any) -> list[dict[str, float]]:
    config = TrainConfig(lr=2e-3, batch_rollouts=8, micro_batch_tokens=400, threads=1, **settings)
    batch = pack(examples_of(random_rollouts(base), config=config), config=config)
    trainer = Trainer(base, config=config, total_steps=4)
    figures = [trainer.train_step(batch) for _ in range(4)]
    trainer.save(out)
    trainer.close()
    return figures


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_gradient_checkpointing_gives_the_same_losses(
    base: Path, tmp_path: Path, lora_rank: int, monkeypatch: pytest.MonkeyPatch
):
    recomputed: list[bool] = []
    original = checkpoint

    def counted(*args: Any, **kwargs: Any) -> Any:
        recomputed.append(True)
        return original(*args, **kwargs)

    monkeypatch.setattr("transformers.modeling_utils.checkpoint", counted)
    torch.manual_seed(0)
    plain = trained(base, tmp_path / "plain", lora_rank=lora_rank)
    assert not recomputed
    torch.manual_seed(0)
    saving = trained(base, tmp_path / "saving", lora_rank=lora_rank, gradient_checkpointing=True)
    assert recomputed
    assert [step["loss"] for step in saving] == [step["loss"] for step in plain]
    for name, weight in load_weights(tmp_path / "plain").items():
        assert torch.equal(weight, load_weights(tmp_path / "saving")[name]), name


def test_bf16_computes_roughly_and_keeps_fp32_weights(base: Path, tmp_path: Path):
    exact, rough = trained(base, tmp_path / "exact"), trained(base, tmp_path / "rough", precision="bf16")
    for ours, other in zip(exact, rough, strict=True):
        assert ours["loss"] != other["loss"]
        assert other["loss"] == pytest.approx(ours["loss"], rel=0.02)
        assert other["grad_norm"] == pytest.approx(ours["grad_norm"], rel=0.05)
    weights = load_weights(tmp_path / "rough")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert any(not torch.equal(weight, weight.bfloat16().float()) for weight in weights.values())
