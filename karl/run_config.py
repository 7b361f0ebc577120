"""What a run is: frozen with its first iteration and stored with the run, so that the same command resumes it."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from karl.tiny import POLICY_FOLDER
from store.errors import UsageError


class RunConfig(BaseModel, frozen=True, extra="forbid"):
    """Everything that fixes a run's result, besides the corpus's contents."""

    corpus: str
    iterations: int = Field(2, ge=1)
    base: Path = Field(POLICY_FOLDER, description="checkpoint folder of the policy that starts")
    algorithm: Literal["oapl", "grpo", "sft"] = Field("oapl", description="whose loss trains, whatever the recipe says")
    recipe: str = Field("tiny", description="training recipe: a name or a TOML file")
    sft_recipe: str = Field("sft", description="recipe of the SFT control: about as many optimiser steps")
    train_steps: int | None = Field(
        None, ge=1, description="optimiser steps of every training, not the recipe's epochs"
    )
    seed: int = 0
    tasks: tuple[str, ...] = Field((), description="overrides of the graphs that apply, by name; the last one wins")

    generator_runs: int = Field(1000, ge=1, description="generator rollouts an iteration")
    seed_chunks: int = Field(1, ge=1, description="random chunks shown to each generator (KARL, section 4: 10)")
    max_tasks: int = Field(400, ge=1, description="deduplicated questions that are rolled out, at most")
    group_size: int = Field(8, ge=2, description="G: solver rollouts a question")
    reward_threshold: float = Field(0.6, gt=0, le=1, description="nugget completion that counts as correct")
    leave_out: tuple[str, ...] = Field(
        (), description="regular expressions: questions in which one is found are not rolled out, so not trained on"
    )
    anchors: float = Field(
        0.0, ge=0, le=1, description="share of the questions solved by all rollouts that is trained on: they hold still"
    )
    validation_questions: int = Field(
        0, ge=0, description="kept questions an iteration that are not trained on; epochs are compared on them"
    )
    validation_samples: int = Field(4, ge=1, description="rollouts a validation question, after every epoch")

    questions: Path | None = Field(None, description="held-out questions (JSONL); else some are set aside")
    question_corpus: str | None = Field(None, description="corpus that they are asked of, if another")
    held_out: int = Field(150, ge=1, description="held-out questions, at most")
    eval_samples: int = Field(8, ge=1, description="rollouts a held-out question")
    eval_temperatures: tuple[float, ...] = Field(
        (0.5,), description="temperatures besides 1 at which the first and the last policy are evaluated"
    )
    sft_control: bool = Field(True, description="also train SFT on the winners of the same datasets")

    @field_validator("leave_out")
    @classmethod
    def _are_expressions(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as exc:
                raise ValueError(f"{pattern!r} is not a regular expression: {exc}") from exc
        return patterns

    @model_validator(mode="after")
    def _control_is_another(self) -> RunConfig:
        if self.algorithm == "sft" and self.sft_control:
            raise ValueError("algorithm 'sft' needs no SFT control beside it: set sft_control to false")
        return self

    def stored(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def make_config(values: dict[str, Any]) -> RunConfig:
    """Raises: UsageError that names the key and the closest known one."""
    try:
        return RunConfig.model_validate(values)
    except ValidationError as exc:
        raise UsageError("\n".join(_problem(error) for error in exc.errors())) from exc


def _problem(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if not key:  # two settings that do not go together: pydantic shows all of them, which helps no one
        return f"run settings: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "extra_forbidden":
        close = get_close_matches(key, RunConfig.model_fields, n=1)
        return f"unknown run setting {key!r}; " + (
            f"did you mean {close[0]!r}?" if close else f"known: {', '.join(RunConfig.model_fields)}"
        )
    return f"run setting {key!r}: {error['msg']}, got {error['input']!r}"
