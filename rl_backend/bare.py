"""The yardstick: the same model, batches, loss and optimiser in a plain PyTorch loop, without verl.

Used by tests (equal losses), by benches (tokens per second) and by `scripts/gpu_check.py`, where verl may be absent;
nothing trains a policy with it. Needs torch, transformers and numpy alone, no pydantic: hence `LoopSettings`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rl_backend.batch import Batch, Row
from rl_backend.oapl import oapl_loss
from rl_backend.rollouts import TrainingSegment

if TYPE_CHECKING:
    from rl_backend.config import TrainConfig


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """The part of a `TrainConfig` that this loop reads, with the same names, meanings and defaults."""

    algorithm: str = "oapl"
    beta1: float = 1.0
    beta2: float = 0.1
    segment_loss: str = "per_segment"
    lr: float = 4e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    warmup_share: float = 0.02
    lr_floor: float = 0.05
    grad_clip: float = 1.0
    micro_batch_tokens: int = 4096
    remove_padding: bool = False


class BareTrainer:
    """OAPL on one device. `selective`: take the head over trained tokens only, as `cpu_engine` does; else over all.

    Weights and optimiser state are float32; `bf16` computes in bfloat16 under autocast.
    """

    def __init__(
        self,
        base: Path,
        *,
        config: TrainConfig | LoopSettings,
        total_steps: int,
        selective: bool = True,
        device: str = "cpu",
        bf16: bool = False,
    ) -> None:
        from transformers import AutoModelForCausalLM

        self.config, self.selective, self.device, self.bf16 = config, selective, torch.device(device), bf16
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa")
        self.model = model.to(self.device).train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda i: _cosine(i + 1, total_steps, config))

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; micro-batches and padding as verl gets them."""
        self.optimizer.zero_grad()
        terms = len(batch.advantage_R) if self._per_rollout else batch.segment_count
        losses = [self._micro_batch(rows, terms=terms) for rows in batch.micro_batches]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        self.optimizer.step()
        self.schedule.step()
        return {"loss": sum(losses), "grad_norm": norm.item()}

    def logprobs(self, segments: Sequence[TrainingSegment]) -> list[NDArray[np.float32]]:
        """ln pi(y_t) of the current weights: float32 (T,) per segment, aligned with its tokens, 0 where masked."""
        found: list[NDArray[np.float32]] = []
        for segment in segments:
            ids_ST, mask_ST = (self._padded([Row(segment, 0, 0.0)], name) for name in ("token_ids", "loss_mask"))
            target_ST = mask_ST[:, 1:].bool()
            with torch.no_grad():
                logp_M = self._logprobs(ids_ST.long(), target_ST)
            values = np.zeros(len(segment.token_ids), np.float32)
            values[1:][target_ST[0].cpu().numpy()] = logp_M.cpu().numpy()
            found.append(values)
        return found

    @property
    def _per_rollout(self) -> bool:
        return self.config.segment_loss == "per_rollout"

    def _micro_batch(self, rows: list[Row], *, terms: int) -> float:
        ids_ST, mask_ST, ref_ST = (self._padded(rows, name) for name in ("token_ids", "loss_mask", "logprobs"))
        target_ST = mask_ST[:, 1:].bool()
        logp_M = self._logprobs(ids_ST.long(), target_ST)
        row_M = target_ST.nonzero()[:, 0]
        logratio_S = logp_M.new_zeros(len(rows)).index_add(0, row_M, logp_M - ref_ST[:, 1:][target_ST])
        rollouts_K, term_S = self._terms(rows)
        by_rollout = {row.rollout: row.advantage for row in rows}
        advantages = [by_rollout[i] for i in rollouts_K] if self._per_rollout else [row.advantage for row in rows]
        loss = oapl_loss(
            logratio_S,
            torch.tensor(advantages, device=self.device),
            beta2=self.config.beta2,
            weight_K=torch.tensor([float(i >= 0) for i in rollouts_K], device=self.device),
            term_S=term_S,
            denominator=terms,
        ).loss
        loss.backward()
        return loss.item()

    def _terms(self, rows: list[Row]) -> tuple[list[int], Tensor | None]:
        """The rollout of each loss term, and the term of each segment where segments are summed first."""
        if not self._per_rollout:
            return [row.rollout for row in rows], None
        rollouts_K = sorted({row.rollout for row in rows})
        places = [rollouts_K.index(row.rollout) for row in rows]
        return rollouts_K, torch.tensor(places, device=self.device)

    def _logprobs(self, ids_ST: Tensor, target_ST: Tensor) -> Tensor:
        """ln pi of the trained tokens, float32 (M,), row by row."""
        labels_M = ids_ST[:, 1:][target_ST]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            if self.selective:
                hidden = self.model.model(input_ids=ids_ST).last_hidden_state
                logits = self.model.lm_head(hidden[:, :-1][target_ST])
            else:
                logits = self.model(input_ids=ids_ST).logits[:, :-1]
        if self.selective:
            return -torch.nn.functional.cross_entropy(logits.float(), labels_M, reduction="none")
        logp = torch.log_softmax(logits.float(), dim=-1)
        return logp.gather(2, ids_ST[:, 1:, None])[..., 0][target_ST]

    def _padded(self, rows: list[Row], name: str) -> Tensor:
        arrays = [getattr(row.segment, name) for row in rows]
        padded = np.zeros((len(arrays), max(map(len, arrays))), arrays[0].dtype)
        for line, array in zip(padded, arrays, strict=True):
            line[: len(array)] = array
        return torch.from_numpy(padded).to(self.device)


def _cosine(step: int, steps: int, config: TrainConfig | LoopSettings) -> float:
    warmup = int(config.warmup_share * steps)
    if step < warmup:
        return step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    floor = config.lr_floor
    return max(0.0, (1 - floor) / 2 * math.cos(math.pi * done) + (1 + floor) / 2)
