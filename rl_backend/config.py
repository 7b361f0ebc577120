"""Training settings: frozen, closed, read once at the edge from a TOML recipe.

No torch here; verl is asked about its own tables (`[actor.fsdp_config]`, `[actor.optim]`, `[model]`) where a recipe
has any.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError, model_validator

from store.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"


class Problem(NamedTuple):
    """A key of a recipe, dotted, and what is wrong with it."""

    key: str
    said: str


class ActorTables(BaseModel, frozen=True, extra="forbid"):
    """verl's own settings of the worker that trains, as verl spells them; what we have a name for is refused here."""

    fsdp_config: dict[str, Any] = Field(default_factory=dict)
    "Into verl's FSDPEngineConfig."
    optim: dict[str, Any] = Field(default_factory=dict)
    "Into verl's FSDPOptimizerConfig."


class TrainConfig(BaseModel, frozen=True, extra="forbid"):
    algorithm: Literal["oapl", "grpo", "sft"] = "oapl"

    beta1: float = Field(default=1.0, gt=0)
    "Temperature of V, in units of reward: near 0 V is the group's best reward, for large values its mean."
    beta2: float = Field(default=0.1, gt=0)
    "Strength of the KL pull, in reward per nat of log-ratio; small models collapse below about 0.01."
    segment_loss: Literal["per_segment", "per_rollout"] = "per_segment"
    "Square each segment's log-ratio (the paper), or the sum over a rollout's segments."
    reference: Literal["engine", "trainer"] = "engine"
    "Whose log-probs are pi_ref: the engine's at sampling time, or the trainer's own frozen start weights."

    clip_low: float = Field(default=0.2, ge=0, lt=1)
    "GRPO only: a token's probability ratio below 1 - clip_low earns nothing more."
    clip_high: float = Field(default=0.2, ge=0)
    "GRPO only: nor does one above 1 + clip_high."
    clip_dual: float = Field(default=3.0, gt=1)
    "GRPO only: largest ratio that counts against a token of a loser."
    kl_coef: float = Field(default=0.0, ge=0)
    "GRPO only: weight of the KL to the reference (verl's low_var_kl, a token's mean); 0 leaves it out."

    sft_on: Literal["winners", "all"] = "winners"
    "SFT only: imitate rollouts with reward at or above `winner_reward`, or every rollout."
    winner_reward: float = 0.5

    lr: float = Field(default=4e-4, gt=0)
    "Peak learning rate of AdamW."
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.0, ge=0)
    warmup_share: float = Field(default=0.02, ge=0, lt=1)
    "Share of all steps with a rising learning rate."
    lr_floor: float = Field(default=0.05, ge=0, le=1)
    "Where the cosine ends, as a share of `lr`."
    grad_clip: float = Field(default=1.0, gt=0)
    "Largest gradient norm."
    epochs: int = Field(default=3, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    "Stop after so many optimiser steps, whatever `epochs` says; the schedule ends there too."

    batch_rollouts: int = Field(default=64, ge=1)
    "Rollouts per optimiser step."
    micro_batch_tokens: int = Field(default=4096, ge=1)
    "Padded tokens per forward pass, about."
    max_segment_tokens: int = Field(default=4096, ge=2)
    "Longer segments are dropped and counted, never cut."
    balance: Literal["tokens", "none"] = "tokens"
    "Draw groups again until every task contributes as many training tokens an epoch as the largest, or take each once."

    drift_segments: int = Field(default=256, ge=0)
    "Segments on which engine and trainer log-probs are compared before the first step; 0 for unrecorded log-probs."
    drift_warning: float = Field(default=1e-3, gt=0)
    "Warn when they differ by more nats a token in the mean. fp32 engines agree to about 1e-5."

    checkpoint_steps: int | None = Field(default=50, ge=1)
    "Save weights and optimiser after so many steps, to resume from; None saves only when stopped and between epochs."
    keep_checkpoints: int = Field(default=1, ge=1)
    "How many of them to keep while training, the best by evaluation beside them; all go when the training is done."
    patience: int | None = Field(default=None, ge=1)
    "Stop after so many epochs without a better evaluation, where one is made between epochs; None never stops."
    max_unfinished: float | None = Field(default=0.5, gt=0, le=1)
    "Stop when an evaluation between epochs finds a larger share of rollouts that never finish; None never stops."
    collapse_nats: float | None = Field(default=10.0, gt=0)
    "Stop when the winners' log-ratio has fallen below minus this many nats (smoothed); None never stops."
    collapse_losers_nats: float | None = Field(default=100.0, gt=0)
    "The same for the losers', which fall in a healthy training too, but by a few nats."
    log_entropy: bool = False
    "Measure the policy's entropy on trained tokens; costs one more softmax."
    trackers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    "Where each step's figures go too, beside the store."

    precision: Literal["fp32", "bf16"] = "fp32"
    "Of forward and backward passes. Weights, summed gradients and optimiser state are fp32 either way."
    gradient_checkpointing: bool = False
    "Compute each layer's activations again in the backward pass: about a third more time, far less memory."
    remove_padding: bool = False
    "Pack micro-batches without padding. Needs CUDA and flash-attn."
    sequence_parallel: int = Field(default=1, ge=1)
    "Ranks that share each sequence (Ulysses), for segments too long for one GPU. Needs `remove_padding`."

    lora_rank: int = Field(default=0, ge=0)
    "Train LoRA adapters of this rank and nothing else; 0 trains all weights."
    lora_alpha: int = Field(default=16, ge=1)
    "Adapters count lora_alpha / lora_rank."
    lora_targets: str | tuple[str, ...] = "all-linear"
    "Names of the layers that get adapters; a single text is a regular expression, or `all-linear`."

    seed: int = 0
    threads: int | None = Field(default=None, ge=1)
    "CPU threads while training; None leaves torch's setting."

    actor: ActorTables = ActorTables()
    model: dict[str, Any] = Field(default_factory=dict)
    "Into verl's HFModelConfig, as verl spells it."

    @model_validator(mode="after")
    def _sequences_are_shared_unpadded(self) -> TrainConfig:
        if self.sequence_parallel > 1 and not self.remove_padding:
            raise ValueError("sequence_parallel above 1 needs remove_padding = true")
        return self

    @property
    def has_verl_tables(self) -> bool:
        return bool(self.actor.fsdp_config or self.actor.optim or self.model)


def load_recipe(source: str | Path, **overrides: Any) -> TrainConfig:
    """A recipe's name (`tiny`) or the path of a TOML file, with overrides on top; their keys may be dotted.

    Raises UsageError that names the file, the key and what is allowed.
    """
    path = _recipe_path(source)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path}: not valid TOML: {exc}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot be read: {exc}") from exc
    for key, value in overrides.items():
        values = _put(values, key.split("."), value, key=key)
    config, problems = _checked(values)
    if config is None or problems:
        raise UsageError("\n".join(f"{_where(path, key, overrides)}: {said}" for key, said in problems))
    return config


def _recipe_path(source: str | Path) -> Path:
    path = Path(source)
    if isinstance(source, str) and path.suffix != ".toml" and path.name == source:
        path = RECIPES / f"{source}.toml"
    if not path.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.toml")))
        raise UsageError(f"{source}: no such recipe or file; recipes that come with the package: {known}")
    return path


def _put(table: Mapping[str, Any], at: list[str], value: Any, *, key: str) -> dict[str, Any]:
    """The table with `value` at a dotted key."""
    first, *rest = at
    if rest:
        inner = table.get(first, {})
        if not isinstance(inner, Mapping):
            raise UsageError(f"override: key {key!r}: {first!r} is a single value, not a table")
        value = _put(inner, rest, value, key=key)
    return {**table, first: value}


def _checked(values: Mapping[str, Any]) -> tuple[TrainConfig | None, list[Problem]]:
    try:
        config = TrainConfig.model_validate(values)
    except ValidationError as exc:
        return None, [_problem(error) for error in exc.errors()]
    if not config.has_verl_tables:
        return config, []
    from rl_backend.verl_settings import problems

    return config, problems(config)


def _problem(error: Any) -> Problem:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        allowed = list((ActorTables if "." in key else TrainConfig).model_fields)
        return Problem(key, f"unknown key {key!r}; {closest(key.split('.')[-1], allowed)}")
    if not key:  # two keys that do not go together: pydantic shows all of them, which helps no one
        return Problem(key, error["msg"])
    return Problem(key, f"key {key!r}: {error['msg']}, got {error['input']!r}")


def closest(name: str, allowed: list[str]) -> str:
    """What to write instead of `name`."""
    near = get_close_matches(name, allowed, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"keys are: {', '.join(allowed)}"


def _where(path: Path, key: str, overrides: Mapping[str, Any]) -> str:
    overridden = any(key == name or key.startswith(f"{name}.") for name in overrides)
    return "override" if overridden else str(path)
