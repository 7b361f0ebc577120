"""Model FLOPs utilisation: how much of what a device can multiply an optimiser step uses.

Only operations that the loss needs are counted (`random_model.Shape.training_flops`): the head for trained tokens, half
of attention, nothing recomputed. Whoever computes more for the same step shows a lower share.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np
import torch

from rl_backend.batch import Batch, Row
from rl_backend.random_model import Shape
from rl_backend.rollouts import TrainingSegment
from rl_backend.timing import TrainStep, take_turns, timed

# Dense bfloat16 operations a second without sparsity, from the vendors' data sheets; the first name that fits counts.
DATA_SHEET = {
    "B200": 2.25e15,
    "GH200": 9.89e14,
    "H200": 9.89e14,
    "H100 PCIe": 7.56e14,
    "H100": 9.89e14,
    "A100": 3.12e14,
    "L40S": 3.62e14,
    "A10": 1.25e14,
    "L4": 1.21e14,
    "RTX 4090": 1.65e14,
}


def batch_of(shape: Shape, *, rows: int, length: int, micro_rows: int, seed: int) -> Batch:
    """Rollouts of one segment each, equally long, a quarter of their tokens sampled."""
    draw = np.random.default_rng(seed)
    mask_T = (np.arange(length) % 64 >= 48).astype(np.uint8)
    logp_T = np.where(mask_T, -np.log(shape.vocab), 0.0).astype(np.float32)
    advantages = np.where(np.arange(rows) % 2, 0.5, -0.5).astype(np.float32)
    made = [
        Row(TrainingSegment(draw.integers(0, shape.vocab, length).astype(np.int32), mask_T, logp_T), i, float(a))
        for i, a in enumerate(advantages)
    ]
    cut = [made[start : start + micro_rows] for start in range(0, rows, micro_rows)]
    return Batch(cut, advantages, (advantages > 0).astype(np.float32))


def utilisation(
    trainers: Mapping[str, TrainStep], batch: Batch, shape: Shape, *, device: str, turns: int, matmul: int = 8192
) -> dict[str, Any]:
    """Per trainer: tokens a second and the share of the data sheet's and of a measured matrix product's rate."""
    lengths = [len(row.segment.token_ids) for row in batch.rows]
    flops = shape.training_flops(lengths=lengths, headed=batch.trained_token_count)
    sheet, product = data_sheet(device), matmul_rate(device, size=matmul)
    taken = take_turns(trainers, [batch] * (turns + 2), warm_up=2, turns=turns)
    seconds = {name: median(turn.steps[name].wall for turn in taken) for name in trainers}
    return {
        "tokens_per_step": batch.token_count,
        "flops_per_step": flops,
        "data_sheet_flops": sheet,
        "matmul_flops": product,
        "trainers": {
            name: {
                "tokens_per_second": round(batch.token_count / spent, 1),
                "flops_per_second": flops / spent,
                "utilisation": round(flops / spent / sheet, 4) if sheet else None,
                "share_of_matmul": round(flops / spent / product, 4),
            }
            for name, spent in seconds.items()
        },
    }


def cuda_device() -> tuple[str, float] | None:
    """Its name and GiB of memory, or None where there is none."""
    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory / 2**30


def data_sheet(device: str) -> float | None:
    """None on the CPU and for a GPU that the table does not know."""
    if device == "cpu":
        return None
    name = torch.cuda.get_device_name(device)
    return next((rate for known, rate in DATA_SHEET.items() if known in name), None)


def matmul_rate(device: str, *, size: int) -> float:
    """Operations a second of a square bfloat16 matrix product: the best of ten."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in "ab")
    seconds = [timed(lambda: left @ right).wall for _ in range(12)]
    return 2.0 * size**3 / min(seconds[2:])
