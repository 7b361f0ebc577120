"""One entry of a leaderboard: who, what is open, and the evaluation that its figures come from."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from evals.report.closed import Closed
from evals.report.document import EvaluationDocument, SystemResult
from store.errors import UsageError

VERSION = 1
MEND = "`karl leaderboard make EVALUATION ...` writes a submission"


class Held(StrEnum):
    """What of the evaluation is in the file."""

    ALL = "all"
    LABELS = "labels"  # no text of questions and answers: their labels and scores
    FIGURES = "figures"  # no question at all: nothing can be recomputed


class Openness(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class NamedLink(Closed):
    name: str = Field(min_length=1)
    url: str

    @field_validator("url")
    @classmethod
    def _of_the_web(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s<>\"]+", url):
            raise ValueError("an address that begins with https:// is needed")
        return url


class Submission(Closed):
    """`measured`: the system of the evaluation that this entry is about."""

    version: Literal[1] = VERSION
    system: str = Field(
        min_length=1, max_length=80, pattern=r"\S", description="its name on the board, with its version"
    )
    organisation: str = Field(min_length=1, max_length=80, pattern=r"\S")
    measured: str = Field(description="name of the system in the evaluation")
    links: tuple[NamedLink, ...] = ()
    weights: Openness
    code: Openness
    note: str = Field(default="", max_length=500)
    held: Held = Field(default=Held.ALL, description="what of the evaluation is here")
    evaluation: EvaluationDocument

    @model_validator(mode="after")
    def _measured_there(self) -> Self:
        names = [one.entry.name for one in self.evaluation.systems]
        if self.measured not in names:
            raise ValueError(f"measured: the evaluation holds no system {self.measured!r}; it holds {', '.join(names)}")
        return self

    @property
    def result(self) -> SystemResult:
        return self.evaluation.result(self.measured)


def read_submission(path: Path) -> Submission:
    """`evaluation` may be the path of a document, from the submission's folder on.

    Raises: UsageError naming file, line or key, and the mend; all keys that are wrong at once.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot read the submission: {exc}") from exc
    except json.JSONDecodeError as exc:
        raise UsageError(f"{path}:{exc.lineno}:{exc.colno}: not valid JSON: {exc.msg}; {MEND}") from exc
    if not isinstance(values, dict):
        raise UsageError(f"{path}:1: a submission is one JSON object; {MEND}")
    return submission_of(values, path)


def submission_of(values: dict[str, Any], path: Path) -> Submission:
    """`path`: where it stands, or is to stand. Raises: UsageError as `read_submission`."""
    if values.get("version") != VERSION:
        raise UsageError(f"{path}: version: {values.get('version')!r}; this karl reads {VERSION}; {MEND}")
    try:
        return Submission.model_validate_json(json.dumps(_whole(values, path)))
    except ValidationError as exc:
        raise UsageError("\n".join(_problem(path, error) for error in exc.errors())) from exc


def _whole(values: dict[str, Any], path: Path) -> dict[str, Any]:
    named = values.get("evaluation")
    if not isinstance(named, str):
        return values
    beside = path.parent / Path(named).expanduser()
    try:
        return {**values, "evaluation": json.loads(beside.read_text(encoding="utf-8"))}
    except (OSError, ValueError) as exc:
        raise UsageError(
            f"{path}: evaluation: cannot read {beside}: {exc}; name what `karl eval --json` wrote"
        ) from exc


def _problem(path: Path, error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = (
            f"unknown key; known here: {', '.join(Submission.model_fields)}"
            if len(error["loc"]) == 1
            else "unknown key"
        )
    if error["type"] == "missing":
        message = f"is missing; {MEND}"
    return f"{path}: {key}: {message}" if key else f"{path}: {message}"
