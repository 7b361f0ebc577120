"""What a run is: frozen with its first iteration and stored with the run, so that the same command resumes it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from karl.tiny import POLICY_FOLDER
from store.errors import UsageError


class RunConfig(BaseModel, frozen=True, extra="forbid"):
    """Everything that fixes a run's result, besides the corpus's contents."""

    corpus: str
    iterations: int = Field(2, ge=1)
    base: Path = Field(POLICY_FOLDER, description="checkpoint folder of the policy that starts")
    recipe: str = Field("tiny", description="training recipe: a name or a TOML file")
    sft_recipe: str = Field("sft", description="recipe of the SFT control: about as many optimiser steps")
    seed: int = 0
    tasks: tuple[str, ...] = Field((), description="overrides of the graphs that apply, by name; the last one wins")

    generator_runs: int = Field(1000, ge=1, description="generator rollouts an iteration")
    seed_chunks: int = Field(1, ge=1, description="random chunks shown to each generator (KARL, section 4: 10)")
    max_tasks: int = Field(400, ge=1, description="deduplicated questions that are rolled out, at most")
    group_size: int = Field(8, ge=2, description="G: solver rollouts a question")
    reward_threshold: float = Field(0.6, gt=0, le=1, description="nugget completion that counts as correct")

    questions: Path | None = Field(None, description="held-out questions (JSONL); else some are set aside")
    question_corpus: str | None = Field(None, description="corpus that they are asked of, if another")
    held_out: int = Field(150, ge=1, description="held-out questions, at most")
    eval_samples: int = Field(8, ge=1, description="rollouts a held-out question")
    eval_temperatures: tuple[float, ...] = Field(
        (0.5,), description="temperatures besides 1 at which the first and the last policy are evaluated"
    )
    sft_control: bool = Field(True, description="also train SFT on the winners of the same datasets")

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
    if error["type"] == "extra_forbidden":
        close = get_close_matches(key, RunConfig.model_fields, n=1)
        return f"unknown run setting {key!r}; " + (
            f"did you mean {close[0]!r}?" if close else f"known: {', '.join(RunConfig.model_fields)}"
        )
    return f"run setting {key!r}: {error['msg']}, got {error['input']!r}"
