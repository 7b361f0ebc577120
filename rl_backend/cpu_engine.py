"""verl's FSDP engine, registered for the CPU, with log-probs computed where they are trained and nowhere else.

verl's stock path takes a logsumexp per token in a Python loop and masks attention that needs no mask; on a CPU that is
most of the time. Only the two hooks that verl offers for it (model inputs, model outputs) are overridden.
"""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor, nn
from verl.utils import tensordict_utils as tu
from verl.utils.torch_functional import entropy_from_logits
from verl.workers.engine.base import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead


@EngineRegistry.register(model_type="language_model", backend="fsdp2", device="cpu")
class CpuEngine(FSDPEngineWithLMHead):
    """Expects jagged `input_ids` and `loss_mask` (prompt first), temperature 1; log_probs are 0 where the mask is 0."""

    _selected_M: Tensor  # flat positions, in the padded micro-batch, whose next token is trained

    def initialize(self) -> None:
        super().initialize()
        module: Any = self.module  # pyright: ignore[reportAttributeAccessIssue] - set by verl in a method we do not see
        module.get_output_embeddings().register_forward_pre_hook(self._keep_selected)

    def _keep_selected(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # The head and its softmax cost as much as all layers of a tiny model: prompt and tool tokens need neither.
        return (args[0].flatten(0, -2).index_select(0, self._selected_M),)

    def prepare_model_inputs(self, micro_batch: TensorDict) -> tuple[dict[str, Any], dict[str, Any]]:
        ids, offsets = _ids(micro_batch)
        lengths_S = offsets.diff()
        width = int(lengths_S.max())
        mask: Any = micro_batch["loss_mask"]
        predicts_N = torch.roll(mask.values(), -1).bool()
        row_N = torch.repeat_interleave(torch.arange(len(lengths_S)), lengths_S)
        column_N = torch.arange(len(row_N)) - offsets[row_N]
        self._selected_M = (row_N * width + column_N)[predicts_N]
        labels_M = torch.roll(ids.values(), -1)[predicts_N]
        # Right padding under causal attention: no token can see a pad, so there is nothing to mask, and without a mask
        # or position ids transformers keeps the fast causal kernel.
        padded = torch.nested.to_padded_tensor(ids, padding=0, output_size=(len(lengths_S), width))
        return {"input_ids": padded}, {"predicts_N": predicts_N, "labels_M": labels_M}

    def prepare_model_outputs(
        self, output: Any, output_args: dict[str, Any], micro_batch: TensorDict, logits_processor_func: Any
    ) -> dict[str, Tensor]:
        logits_M = output.logits.float()  # bf16 would round a log-prob to three digits
        columns = {"log_probs": -nn.functional.cross_entropy(logits_M, output_args["labels_M"], reduction="none")}
        if tu.get_non_tensor_data(data=micro_batch, key="calculate_entropy", default=False):
            columns["entropy"] = entropy_from_logits(logits_M.detach())
        _, offsets = _ids(micro_batch)
        return {name: _jagged(values, output_args["predicts_N"], offsets) for name, values in columns.items()}


def _ids(micro_batch: TensorDict) -> tuple[Any, Tensor]:
    """The jagged token ids and their offsets (S + 1,); torch's stubs know neither method of a jagged tensor."""
    ids: Any = micro_batch["input_ids"]
    return ids, ids.offsets()


def _jagged(values_M: Tensor, predicts_N: Tensor, offsets: Tensor) -> Tensor:
    """Put M values back to their places among N tokens, 0 elsewhere: verl's jagged shape, one row per sequence."""
    full_N = values_M.new_zeros(len(predicts_N)).masked_scatter(predicts_N, values_M)
    return torch.nested.nested_tensor_from_jagged(full_N, offsets)
