"""Training settings: frozen, closed, read once at the edge from a TOML recipe. No torch here."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from store.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"


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
    log_entropy: bool = False
    "Measure the policy's entropy on trained tokens; costs one more softmax."

    seed: int = 0
    threads: int | None = Field(default=None, ge=1)
    "CPU threads while training; None leaves torch's setting."


def load_recipe(source: str | Path, **overrides: Any) -> TrainConfig:
    """A recipe's name (`tiny`) or the path of a TOML file, with overrides on top.

    Raises UsageError that names the file, the key and what is allowed.
    """
    path = _recipe_path(source)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path}: not valid TOML: {exc}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot be read: {exc}") from exc
    try:
        return TrainConfig.model_validate({**values, **overrides})
    except ValidationError as exc:
        raise UsageError("\n".join(_problem(path, error, overrides) for error in exc.errors())) from exc


def _recipe_path(source: str | Path) -> Path:
    path = Path(source)
    if isinstance(source, str) and path.suffix != ".toml" and path.name == source:
        path = RECIPES / f"{source}.toml"
    if not path.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.toml")))
        raise UsageError(f"{source}: no such recipe or file; recipes that come with the package: {known}")
    return path


def _problem(path: Path, error: Any, overrides: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    where = "override" if error["loc"] and error["loc"][0] in overrides else str(path)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key {key!r}; keys are: {', '.join(TrainConfig.model_fields)}"
    return f"{where}: key {key!r}: {error['msg']}, got {error['input']!r}"
