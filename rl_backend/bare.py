"""The yardstick: the same model, batches, loss and optimiser in a plain PyTorch loop, without verl.

Used by tests (equal losses) and by benches (tokens per second); nothing trains a policy with it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rl_backend.batch import Batch, Row
from rl_backend.config import TrainConfig
from rl_backend.oapl import oapl_loss


class BareTrainer:
    """OAPL per segment. `selective`: take the head over trained tokens only, as `cpu_engine` does; else over all."""

    def __init__(self, base: Path, *, config: TrainConfig, total_steps: int, selective: bool = True) -> None:
        from transformers import AutoModelForCausalLM

        self.config, self.selective = config, selective
        self.model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa").train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda i: _cosine(i + 1, total_steps, config))

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; micro-batches and padding as verl gets them."""
        self.optimizer.zero_grad()
        starts = range(0, len(batch.rows), batch.micro_rows)
        terms = batch.segment_count
        losses = [self._micro_batch(batch.rows[i : i + batch.micro_rows], terms=terms) for i in starts]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        self.optimizer.step()
        self.schedule.step()
        return {"loss": sum(losses), "grad_norm": norm.item()}

    def _micro_batch(self, rows: list[Row], *, terms: int) -> float:
        ids_ST, mask_ST, ref_ST = (_padded(rows, name) for name in ("token_ids", "loss_mask", "logprobs"))
        target_ST = mask_ST[:, 1:].bool()
        logp_M = self._logprobs(ids_ST.long(), target_ST)
        row_M = target_ST.nonzero()[:, 0]
        logratio_S = torch.zeros(len(rows)).index_add(0, row_M, logp_M - ref_ST[:, 1:][target_ST])
        loss = oapl_loss(
            logratio_S,
            torch.tensor([row.advantage for row in rows]),
            beta2=self.config.beta2,
            weight_K=torch.tensor([float(row.rollout >= 0) for row in rows]),
            denominator=terms,
        ).loss
        loss.backward()
        return loss.item()

    def _logprobs(self, ids_ST: Tensor, target_ST: Tensor) -> Tensor:
        """ln pi of the trained tokens, (M,), row by row."""
        labels_M = ids_ST[:, 1:][target_ST]
        if self.selective:
            hidden = self.model.model(input_ids=ids_ST).last_hidden_state
            logits_M = self.model.lm_head(hidden[:, :-1][target_ST])
            return -torch.nn.functional.cross_entropy(logits_M, labels_M, reduction="none")
        logp = torch.log_softmax(self.model(input_ids=ids_ST).logits[:, :-1], dim=-1)
        return logp.gather(2, ids_ST[:, 1:, None])[..., 0][target_ST]


def _padded(rows: list[Row], name: str) -> Tensor:
    arrays = [getattr(row.segment, name) for row in rows]
    padded = np.zeros((len(arrays), max(map(len, arrays))), arrays[0].dtype)
    for line, array in zip(padded, arrays, strict=True):
        line[: len(array)] = array
    return torch.from_numpy(padded)


def _cosine(step: int, steps: int, config: TrainConfig) -> float:
    warmup = int(config.warmup_share * steps)
    if step < warmup:
        return step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    floor = config.lr_floor
    return max(0.0, (1 - floor) / 2 * math.cos(math.pi * done) + (1 + floor) / 2)
