"""A `Trainer` whose model is verl's value model: the same batches and worker, another head and loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rl_backend import ranks, verl_runtime
from rl_backend.batch import Batch
from rl_backend.checkpoint import check_model_folder, copy_companions
from rl_backend.config import TrainConfig
from rl_backend.value.model import value_loss
from rl_backend.verl_adapter import Trainer
from store.value_record import VALUE_FILE

POLICY_FILE = "karl.json"  # says how a policy is spoken to; a value model is none


class ValueTrainer(Trainer):
    """Where a policy's batch has the advantage, its rows have the target: 1 for a correct rollout, else 0."""

    def __init__(self, base: Path, *, config: TrainConfig, total_steps: int) -> None:
        check_model_folder(base)
        self.base, self.config = base, config
        self._worker = verl_runtime.make_worker(base, config=config, total_steps=total_steps, model_type="value_model")
        self._worker.set_loss_fn(_loss)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; loss in nats a token, the mean prediction, and the share of tokens on the right side."""
        learning_rate = self._worker.engine.lr_scheduler.get_last_lr()[0]
        own = batch.share(self._worker.engine.get_data_parallel_rank())
        data = self._tensors(own, loss_terms=1)
        with verl_runtime.quiet():
            output = self._worker.train_batch(data)
        if output is None:
            return ranks.from_first({})
        raw, tokens = output["metrics"], batch.trained_token_count
        figures = {"loss": raw["loss"], "grad_norm": raw["grad_norm"], "lr": learning_rate}
        sums = {name: float(torch.tensor(raw[name]).sum()) / tokens for name in ("predicted", "accuracy")}
        return ranks.from_first({**figures, **sums})

    def save_into(self, folder: Path) -> None:
        """Weights, tokenizer, and a configuration that names the class with the scalar head."""
        verl_runtime.save_weights(self._worker, folder)
        if ranks.rank() == 0:
            copy_companions(self.base, folder)
            for name in (POLICY_FILE, VALUE_FILE, "generation_config.json"):
                (folder / name).unlink(missing_ok=True)
            settings = {**self._worker.engine.module.config.to_diff_dict(), "dtype": "float32"}
            text = json.dumps(settings, indent=2, sort_keys=True)
            (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def _loss(model_output: dict[str, Any], data: Any, dp_group: Any = None) -> tuple[Tensor, dict[str, list[float]]]:
    """verl's loss protocol around `value_loss`; the mean is over the policy's tokens of the global batch."""
    values = model_output["values"]
    value_N, mask_N = values.values(), data["loss_mask"].values().to(values.dtype)
    target_N = torch.repeat_interleave(data["advantage"].to(value_N), values.offsets().diff())
    loss = value_loss(value_N, target_N, mask_N, denominator=data["batch_num_tokens"] / data["dp_size"])
    seen_N = value_N.detach()
    right_N = ((seen_N > 0) == (target_N > 0.5)).to(mask_N)
    figures = {"predicted": seen_N.sigmoid() * mask_N, "accuracy": right_N * mask_N}
    return loss, {name: [float(value.sum())] for name, value in figures.items()}
