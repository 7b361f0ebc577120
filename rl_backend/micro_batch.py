"""Micro-batches of any number of rows on their way through verl, which cuts a step into equal numbers of rows.

What verl takes for a row is a whole micro-batch here, its segments end to end; the engine's `forward_step`, the one
place where verl works on a micro-batch, opens it. verl's own dynamic batching does not do: it counts tokens without
their padding, parts the segments of a rollout, and refuses a step with fewer rows on a rank than micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rl_backend.batch import MicroBatch

ForwardStep = Callable[..., Any]
LENGTHS = "row_lengths"
PER_TOKEN = ("input_ids", "loss_mask", "ref_logprobs", "position_ids")
PER_ROW = ("advantage", "rollout")


def closed(micro_batches: Sequence[MicroBatch], settings: dict[str, Any]) -> Any:
    """What verl's `train_batch` and `infer_batch` take: one row for each micro-batch."""
    lengths = [[len(row.segment.token_ids) for row in rows] for rows in micro_batches]
    tokens = [sum(of_rows) for of_rows in lengths]
    rows_of = [len(rows) for rows in micro_batches]
    rows = [row for rows in micro_batches for row in rows]
    tensors = {
        "input_ids": _jagged(_joined([row.segment.token_ids for row in rows]), tokens, torch.int64),
        "loss_mask": _jagged(_joined([row.segment.loss_mask for row in rows]), tokens, torch.int64),
        "ref_logprobs": _jagged(_joined([row.segment.logprobs for row in rows]), tokens, torch.float32),
        "position_ids": _jagged(_joined([np.arange(n) for of_rows in lengths for n in of_rows]), tokens, torch.int64),
        "advantage": _jagged(np.array([row.advantage for row in rows]), rows_of, torch.float32),
        "rollout": _jagged(np.array([row.rollout for row in rows]), rows_of, torch.int64),
        LENGTHS: _jagged(np.array([n for of_rows in lengths for n in of_rows]), rows_of, torch.int64),
    }
    cut = {"use_dynamic_bsz": False, "micro_batch_size_per_gpu": 1}
    return tensordict(tensors, {**settings, **cut})


def opened(micro_batch: Any) -> Any:
    """The rows of one micro-batch, as every hook of an engine and every loss expects them."""
    lengths_S = micro_batch[LENGTHS].values()
    offsets = torch.nn.functional.pad(lengths_S.cumsum(0), (1, 0))
    tensors = {name: torch.nested.nested_tensor_from_jagged(micro_batch[name].values(), offsets) for name in PER_TOKEN}
    tensors |= {name: micro_batch[name].values() for name in PER_ROW}
    settings = {name: micro_batch[name] for name in set(micro_batch.keys()) - {LENGTHS, *tensors}}
    return tensordict(tensors, settings)


def opening(forward_step: ForwardStep) -> ForwardStep:
    """An engine's `forward_step` for what `closed` made."""

    def step(micro_batch: Any, *args: Any, **kwargs: Any) -> Any:
        return forward_step(opened(micro_batch), *args, **kwargs)

    return step


def tensordict(tensors: dict[str, Tensor], settings: dict[str, Any]) -> Any:
    """verl's container: tensors with one entry a row, and settings that hold for all."""
    from verl.utils.tensordict_utils import get_tensordict

    return get_tensordict(tensor_dict=tensors, non_tensor_dict=settings)  # pyright: ignore[reportArgumentType]


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays)


def _jagged(values: NDArray[Any], lengths: Sequence[int], dtype: torch.dtype) -> Tensor:
    offsets = torch.from_numpy(np.cumsum([0, *lengths]))
    return torch.nested.nested_tensor_from_jagged(torch.from_numpy(values).to(dtype), offsets)
