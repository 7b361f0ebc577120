"""From a recipe to verl's own configuration: ours under our names, the rest verbatim, checked key by key."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from rl_backend.config import TrainConfig
from rl_backend.recipe import Problem, closest
from rl_backend.verl_import import import_verl
from store.errors import UsageError

# verl's names for what has one of ours, or none: one spelling each, so that no recipe says two things at once.
_OURS = {
    "actor.fsdp_config": {
        "seed": "set `seed`",
        "mixed_precision": "set `precision`",
        "dtype": "set `precision`",
        "ulysses_sequence_parallel_size": "set `sequence_parallel`",
        "use_remove_padding": "set `remove_padding`",
        "use_fused_kernels": "set `model.use_fused_kernels`",
        **dict.fromkeys(
            ("use_dynamic_bsz", "max_token_len_per_gpu", "micro_batch_size_per_gpu"), "set `micro_batch_tokens`"
        ),
        **dict.fromkeys(("infer_max_token_len_per_gpu", "infer_micro_batch_size_per_gpu"), "set `micro_batch_tokens`"),
        "strategy": "leave it out: training is FSDP2",
        "forward_only": "leave it out: a trainer needs gradients",
    },
    "actor.optim": {
        "lr": "set `lr`",
        "betas": "set `betas`",
        "weight_decay": "set `weight_decay`",
        "lr_warmup_steps": "set `warmup_share`",
        "lr_warmup_steps_ratio": "set `warmup_share`",
        "min_lr_ratio": "set `lr_floor`",
        "clip_grad": "set `grad_clip`",
        "grad_clip": "set `grad_clip` outside of this table",
        "total_training_steps": "set `epochs` or `max_steps`",
        "warmup_style": "set `lr_scheduler_type`: verl gave it up",
    },
    "model": {
        "enable_gradient_checkpointing": "set `gradient_checkpointing`",
        "use_remove_padding": "set `remove_padding`",
        "lora_rank": "set `lora_rank` outside of this table",
        "lora_alpha": "set `lora_alpha` outside of this table",
        "target_modules": "set `lora_targets`",
        "target_parameters": "leave it out: adapters of fused expert weights cannot be merged when saving",
        "lora": "leave it out: it is of verl's Megatron engine",
        "load_tokenizer": "leave it out: data come as tokens",
        **dict.fromkeys(
            ("path", "local_path", "hf_config_path", "local_hf_config_path"), "leave it out: the base model says it"
        ),
        **dict.fromkeys(("model_type", "hf_config", "architectures"), "leave it out: the base model says it"),
        **dict.fromkeys(
            ("tokenizer", "tokenizer_path", "local_tokenizer_path", "processor", "generation_config"),
            "leave it out: data come as tokens",
        ),
        "custom_chat_template": "leave it out: data come as tokens",
    },
}

# True here asks for what only CUDA has: pinned memory, Triton kernels, side streams.
_CUDA_ONLY = {
    "actor.fsdp_config": ("offload_policy",),
    "model": ("use_fused_kernels", "use_liger", "enable_activation_offload"),
}

# Sharding layer by layer saves device memory that a CPU does not have; a class name that no layer bears leaves one
# FSDP unit, the whole model, and a fifth of the per-micro-batch hooks of a four-layer policy.
_ONE_UNIT = {"disable": True, "transformer_layer_cls_to_wrap": ["WholeModel"]}


def problems(config: TrainConfig) -> list[Problem]:
    """What is wrong with verl's tables of a recipe: unknown keys, wrong types, keys that are ours."""
    classes = _classes()
    found: list[Problem] = []
    for table, values in _tables(config).items():
        ours = _OURS[table]
        found += [
            Problem(f"{table}.{key}", f"key '{table}.{key}' is not verl's to set here: {ours[key]}")
            for key in values
            if key in ours
        ]
        others = {key: value for key, value in values.items() if key not in ours}
        found += _problems(classes[table], others, at=table, hidden=ours)
    return found


def check_device(config: TrainConfig, *, cuda: bool, flash_attn: bool) -> None:
    """Raise UsageError for settings that a machine with or without these cannot serve, with the mend."""
    lacking = None if cuda else "a CUDA device; here is none"
    if cuda and not flash_attn:
        lacking = "flash-attn; install it (pip install flash-attn)"
    if config.remove_padding and lacking:
        raise UsageError(f"remove_padding needs {lacking}. Or set remove_padding = false and sequence_parallel = 1")
    tables = _tables(config)
    asked = [f"{table}.{key}" for table, keys in _CUDA_ONLY.items() for key in keys if tables[table].get(key)]
    if asked and not cuda:
        raise UsageError(f"{', '.join(asked)}: needs a CUDA device; here is none. Set it to false")


def worker_config(
    base: Path, *, config: TrainConfig, total_steps: int, model_type: str = "language_model", cuda: bool | None = None
) -> Any:
    """verl's `TrainingWorkerConfig`. `cuda`: build it for a CUDA machine; None looks at this one.

    Raises UsageError for what `problems` finds and what verl refuses.
    """
    cuda = torch.cuda.is_available() if cuda is None else cuda
    if found := problems(config):
        raise UsageError("\n".join(problem.said for problem in found))
    from verl.trainer.config import CheckpointConfig
    from verl.workers.config import TrainingWorkerConfig

    return TrainingWorkerConfig(
        model_type=model_type,
        model_config=_built("model", _model(base, config)),
        engine_config=_built("actor.fsdp_config", _engine(config, cuda=cuda)),
        optimizer_config=_built("actor.optim", _optimizer(config, total_steps=total_steps)),
        # A state is of use beside the same base only, which has all that LoRA leaves alone.
        checkpoint_config=CheckpointConfig(
            load_contents=["model", "optimizer", "extra"], save_lora_only=config.lora_rank > 0
        ),
    )


def _model(base: Path, config: TrainConfig) -> dict[str, Any]:
    attention = {"attn_implementation": "flash_attention_2" if config.remove_padding else "sdpa"}
    return {
        "path": str(base),
        "load_tokenizer": False,
        "use_remove_padding": config.remove_padding,
        "enable_gradient_checkpointing": config.gradient_checkpointing,
        "lora_rank": config.lora_rank,
        "lora_alpha": config.lora_alpha,
        "target_modules": config.lora_targets if isinstance(config.lora_targets, str) else list(config.lora_targets),
        **config.model,
        "override_config": {**attention, **config.model.get("override_config", {})},
    }


def _engine(config: TrainConfig, *, cuda: bool) -> dict[str, Any]:
    return {
        "strategy": "fsdp2",
        "use_torch_compile": False,
        "mixed_precision": {"param_dtype": config.precision, "reduce_dtype": "fp32", "buffer_dtype": "fp32"},
        "reshard_after_forward": cuda,
        "wrap_policy": {} if cuda else _ONE_UNIT,
        "ulysses_sequence_parallel_size": config.sequence_parallel,
        "seed": config.seed,
        **config.actor.fsdp_config,
    }


def _optimizer(config: TrainConfig, *, total_steps: int) -> dict[str, Any]:
    return {
        "lr": config.lr,
        "betas": config.betas,
        "weight_decay": config.weight_decay,
        "clip_grad": config.grad_clip,
        "lr_scheduler_type": "cosine",
        "lr_warmup_steps_ratio": config.warmup_share,
        "min_lr_ratio": config.lr_floor,
        "total_training_steps": total_steps,
        # Counting from 1: the first step of a warm-up would otherwise have a learning rate of 0.
        "zero_indexed_step": False,
        **config.actor.optim,
    }


def _tables(config: TrainConfig) -> dict[str, dict[str, Any]]:
    return {"actor.fsdp_config": config.actor.fsdp_config, "actor.optim": config.actor.optim, "model": config.model}


def _classes() -> dict[str, type]:
    import_verl()
    from verl.workers.config import FSDPEngineConfig, FSDPOptimizerConfig, HFModelConfig

    return {"actor.fsdp_config": FSDPEngineConfig, "actor.optim": FSDPOptimizerConfig, "model": HFModelConfig}


def _problems(cls: type, values: Mapping[str, Any], *, at: str, hidden: Mapping[str, str]) -> Iterator[Problem]:
    hints = _settings(cls)
    for key, value in values.items():
        path = f"{at}.{key}"
        if key not in hints:
            allowed = [name for name in hints if name not in hidden]
            yield Problem(path, f"unknown key {path!r} of verl's {cls.__name__}; {closest(key, allowed)}")
        elif dataclasses.is_dataclass(hints[key]) and isinstance(value, Mapping):
            yield from _problems(hints[key], value, at=path, hidden={})
        elif said := _type_error(hints[key], value):
            yield Problem(path, f"key {path!r}: {said}, got {value!r}")


def _settings(cls: type) -> dict[str, Any]:
    return {name: hint for name, hint in typing.get_type_hints(cls).items() if not name.startswith("_")}


def _type_error(hint: Any, value: Any) -> str | None:
    if dataclasses.is_dataclass(hint):
        return "this is a table"
    try:
        TypeAdapter(hint).validate_python(value, strict=True)
    except ValidationError as exc:
        return exc.errors()[0]["msg"]
    return None


def _built(table: str, values: Mapping[str, Any]) -> Any:
    try:
        return _construct(_classes()[table], values)
    except (AssertionError, ValueError, TypeError) as exc:
        raise UsageError(f"verl refuses the settings of [{table}]: {exc}") from exc


def _construct(cls: type, values: Mapping[str, Any]) -> Any:
    hints = _settings(cls)
    nested = {
        key: _construct(hints[key], value)
        for key, value in values.items()
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, Mapping)
    }
    return cls(**{**values, **nested})
