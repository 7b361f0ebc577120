"""verl's value engine: a policy's body under a scalar head, without flash-attn, on the CPU and on CUDA.

verl's own loader asks for flash-attn and, without it, for trl; only the hook that builds the module is overridden, and
on the CPU the two that pad and cut, for the same reasons as in `cpu_engine`.
"""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor
from verl.workers.engine.base import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithValueHead

from rl_backend.value.model import load_value_model


@EngineRegistry.register(model_type="value_model", backend="fsdp2", device="cuda", vendor="nvidia")
class ValueEngine(FSDPEngineWithValueHead):
    """`values` are logits of the final reward: jagged, one per token, that of token t after reading t."""

    model_config: Any

    def _build_module(self) -> Any:
        module = load_value_model(self.model_config.local_path)
        # verl writes its checkpoints as the class that is named here.
        module.config.architectures = [type(module).__name__]
        self.model_config.hf_config = module.config
        if self.model_config.enable_gradient_checkpointing:
            module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        return module


@EngineRegistry.register(model_type="value_model", backend="fsdp2", device="cpu")
class CpuValueEngine(ValueEngine):
    """Right padding under causal attention: no token can see a pad, so transformers keeps its fast causal kernel."""

    def prepare_model_inputs(self, micro_batch: TensorDict) -> tuple[dict[str, Any], dict[str, Any]]:
        ids: Any = micro_batch["input_ids"]
        lengths_S: Tensor = ids.offsets().diff()
        # Without a size torch pads a row to as many tokens as all of them have together.
        size = (len(lengths_S), int(lengths_S.max()))
        return {"input_ids": torch.nested.to_padded_tensor(ids, padding=0, output_size=size)}, {}

    def prepare_model_outputs(
        self, output: Any, output_args: dict[str, Any], micro_batch: TensorDict, logits_processor_func: Any
    ) -> dict[str, Tensor]:
        ids: Any = micro_batch["input_ids"]
        offsets: Tensor = ids.offsets()
        values_ST = output.logits.squeeze(-1)
        held_ST = torch.arange(values_ST.shape[1], device=values_ST.device) < offsets.diff()[:, None]
        return {"values": torch.nested.nested_tensor_from_jagged(values_ST[held_ST], offsets)}
