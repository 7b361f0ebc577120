"""Settings of a value model's training: frozen, closed, read once from a TOML file. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, field_validator

from rl_backend.config import TrainConfig
from rl_backend.recipe import RECIPES, read_recipe

VALUE_RECIPES = RECIPES / "value"

# Every graded rollout is learned from, and nothing is compared with what the policy's engine recorded.
_FIXED: dict[str, Any] = {"algorithm": "sft", "sft_on": "all", "drift_segments": 0}
_REFUSED = {"lora_rank": "0: the head has no adapters", "remove_padding": "false: values are computed padded"}


class ValueConfig(BaseModel, frozen=True, extra="forbid"):
    reward_threshold: float = Field(default=0.6, gt=0, le=1)
    "A rollout with this reward or more ended correct."
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    "Share of the questions, with all their rollouts, that is measured on between epochs and never trained on."
    training: TrainConfig = TrainConfig(**_FIXED, patience=2)
    "Optimiser, batches, limits and checkpoints as for a policy; `patience` ends it by the validation loss."

    @field_validator("training", mode="before")
    @classmethod
    def _with_fixed(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        taken = [key for key in _FIXED if key in given and given[key] != _FIXED[key]]
        if taken:
            raise ValueError(f"{taken[0]} is a policy's setting; leave it out")
        return {**given, **_FIXED}

    @field_validator("training")
    @classmethod
    def _can_be_served(cls, training: TrainConfig) -> TrainConfig:
        for key, said in _REFUSED.items():
            if getattr(training, key):
                raise ValueError(f"a value model needs {key} = {said}")
        return training


def load_value_recipe(source: str | Path, **overrides: Any) -> ValueConfig:
    """A recipe's name (`tiny`) or a TOML file; overrides on top, `training.lr` for a key of the table [training].

    Raises UsageError that names the file, the key and what is allowed.
    """
    return read_recipe(ValueConfig, source, overrides, folder=VALUE_RECIPES, tables=TrainConfig)
