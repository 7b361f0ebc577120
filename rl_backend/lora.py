"""LoRA adapters out of a model in training: merged into the weights they belong to, and by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rl_backend import ranks
from rl_backend.config import TrainConfig
from store.errors import UsageError

ADAPTER = "adapter"  # folder beside merged weights: transformers would load an adapter found *among* them once more
_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"


def save_lora(module: Any, folder: Path) -> None:
    """Write the merged model's weights to `folder` and the adapter below it. Every rank calls; rank 0 writes."""
    from verl.utils.fsdp_utils import get_fsdp_full_state_dict

    state: Any = get_fsdp_full_state_dict(module)
    if ranks.rank() == 0:
        _save_adapter(module, state, folder / ADAPTER)
        _save_merged(module.config, merged(state, scalings(module)), folder)


def check_adapters(module: nn.Module) -> None:
    """Raise UsageError where adapters sit on what `merged` cannot merge."""
    from peft.tuners.lora import Linear, LoraLayer

    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, LoraLayer)}
    others = sorted({name.split(".")[-1] for name, layer in layers.items() if not isinstance(layer, Linear)})
    if others:
        raise UsageError(
            f"lora_targets reach {', '.join(others)}: no plain linear layers (experts are fused), so their adapters "
            'could not be merged. Name layers, for example lora_targets = ["q_proj", "k_proj", "v_proj", "o_proj"]'
        )


@contextmanager
def naming_targets(config: TrainConfig) -> Iterator[None]:
    """peft's word for targets that a model does not have, as UsageError."""
    from peft.utils.error import NoMatchingPeftModuleError

    try:
        yield
    except NoMatchingPeftModuleError as exc:
        raise UsageError(f"lora_targets = {config.lora_targets!r}: no layer of the base has such a name") from exc


def scalings(module: nn.Module) -> dict[str, float]:
    """lora_alpha / rank of every layer that has an adapter, by the layer's name."""
    from peft.tuners.lora import LoraLayer

    return {name: layer.scaling["default"] for name, layer in module.named_modules() if isinstance(layer, LoraLayer)}


def merged(state: dict[str, Tensor], scaling: dict[str, float]) -> dict[str, Tensor]:
    """W + scaling B A under the base model's own names. Summed in fp32, whatever the weights are kept in."""
    from verl.utils.fsdp_utils import normalize_peft_param_name

    whole = dict(state)
    for layer, factor in scaling.items():
        name = f"{layer}.base_layer.weight"
        moved = state[name].float() + factor * (state[layer + _B].float() @ state[layer + _A].float())
        whole[name] = moved.to(state[name].dtype)
    return normalize_peft_param_name(whole)


def _save_merged(config: Any, weights: dict[str, Tensor], folder: Path) -> None:
    """As verl's checkpoint manager writes full weights: transformers turns names and fused experts back."""
    from transformers import AutoModelForCausalLM
    from verl.utils.transformers_compat import drop_tied_target_keys

    with torch.device("meta"):
        shell = AutoModelForCausalLM.from_config(config)
    drop_tied_target_keys(weights, shell, config)
    shell.save_pretrained(folder, state_dict=weights)


def _save_adapter(module: Any, state: dict[str, Tensor], folder: Path) -> None:
    """peft's own format: `PeftModel.from_pretrained(base, folder)` and vLLM's LoRA modules read it."""
    from peft.utils.save_and_load import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    settings = module.peft_config["default"]
    settings.save_pretrained(str(folder))
    weights: dict[str, Tensor] = get_peft_model_state_dict(module, state_dict=state, save_embedding_layers=False)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "adapter_model.safetensors")
