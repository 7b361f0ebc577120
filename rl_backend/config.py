"""Training settings: frozen, closed, read once at the edge from a TOML recipe.

No torch here; verl is asked about its own tables (`[actor.fsdp_config]`, `[actor.optim]`, `[model]`) where a recipe
has any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from rl_backend.recipe import RECIPES, Problem, read_recipe


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
    "Tokens of a forward pass at most, padding counted; what cannot be parted and is longer by itself goes alone."
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
    return read_recipe(TrainConfig, source, overrides, folder=RECIPES, tables=ActorTables, check=_verl_problems)


def _verl_problems(config: TrainConfig) -> list[Problem]:
    if not config.has_verl_tables:
        return []
    from rl_backend.verl_settings import problems

    return problems(config)
