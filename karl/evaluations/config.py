"""What an evaluation is asked for: the options of `karl eval`, frozen and closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from evals.tasks import KARLBENCH, task
from store.errors import UsageError

FOGBENCH = "fogbench"
SUITES = {FOGBENCH: (FOGBENCH,), "karlbench": KARLBENCH}
CUSTOM = "custom"  # name of the task that a questions file is


class EvalConfig(BaseModel, frozen=True, extra="forbid"):
    """Either a suite, or questions with their corpus."""

    suite: str = Field("", description="fogbench, karlbench, or tasks with commas between them")
    questions: Path | None = Field(None, description="one's own questions, JSONL")
    corpus: str | None = Field(None, description="corpus of the questions, or of the suite's only task")
    data: Path | None = Field(None, description="folder of the tasks' data, or of the only task's")
    split: str | None = Field(None, description="of the suite's only task; default: the one that is evaluated")
    samples: int = Field(4, ge=1, description="generations a question")
    temperature: float | None = Field(None, ge=0, description="None: the graph's own, or the endpoint's")
    limit: int | None = Field(None, ge=1, description="questions a task, drawn evenly over its splits")
    graph: str | None = Field(None, description="a graph's name or file; None: the one that evaluates in a run")
    name: str | None = Field(None, description="of the run that holds the rollouts; None: from the evaluation's hash")
    seed: int = 0
    threshold: float = Field(0.6, gt=0, le=1, description="score from which on a generation counts as right")
    prices: Path | None = Field(None, description="TOML file of prices by model")
    fog: dict[str, Any] = Field(default_factory=dict, description="FogBench's knobs")
    concurrency: int | None = Field(None, ge=1, description="generations under way at once")
    timeout: float | None = Field(
        None, gt=0, description="seconds that a system that answers by itself may take; None: as long as it likes"
    )
    rejudge: bool = Field(False, description="judge the stored answers; make no rollout")

    @model_validator(mode="after")
    def _one_source(self) -> EvalConfig:
        if bool(self.suite) == (self.questions is not None):
            raise ValueError("give either --suite (fogbench, karlbench, or tasks), or --questions with --corpus")
        if self.questions is not None and self.corpus is None:
            raise ValueError("--questions needs --corpus: the one that the questions are about")
        if self.fog and FOGBENCH not in self.tasks:
            raise ValueError("--fog turns FogBench's knobs, and FogBench is not in the suite")
        if len(self.tasks) > 1 and (self.corpus or self.split):
            raise ValueError("--corpus and --split are of one task, and the suite has several")
        return self

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names, each once. Raises: UsageError for an unknown one."""
        if self.questions is not None:
            return ()
        names = (name.strip() for name in self.suite.split(",") if name.strip())
        found = (one for name in names for one in SUITES.get(name.lower(), (name,)))
        return tuple(dict.fromkeys(task(name).spec.name for name in found))

    @property
    def label(self) -> str:
        """What the document calls the suite."""
        return self.suite.replace(" ", "") or CUSTOM


def make_eval_config(**values: Any) -> EvalConfig:
    """Raises: UsageError that names the option."""
    try:
        return EvalConfig.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as exc:
        raise UsageError("\n".join(map(_problem, exc.errors()))) from exc


def _problem(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"--{'.'.join(map(str, error['loc']))}: {message}, got {error['input']!r}" if error["loc"] else message
