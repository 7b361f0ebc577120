"""`karl-value.json`: what a value model's folder says of itself. Training writes it, the search reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from store.errors import UsageError
from store.jsonfile import read_json, write_json

VALUE_FILE = "karl-value.json"


class ValueRecord(BaseModel, frozen=True, extra="forbid"):
    """The probability that a rollout ends correct is sigmoid(scale V + bias)."""

    name: str
    policy_version: int = Field(ge=0)
    "Of the policy whose rollouts it learned from; it knows no other's."
    reward_threshold: float
    "What counted as correct."
    scale: float = Field(default=1.0, gt=0)
    bias: float = 0.0
    base_rate: float
    "Share of the training tokens that stand in correct rollouts."
    dataset: str = ""
    "Name of the frozen dataset, or empty."
    weights_sha256: str
    validation: dict[str, Any] = Field(default_factory=dict)
    "Figures on the questions that were set aside; each is calibrated by a fit on the others."

    @property
    def label(self) -> str:
        """Name, version and the beginning of the weights' hash: what a trace shows beside every value."""
        return f"{self.name} v{self.policy_version} {self.weights_sha256[:8]}"


def write_value_record(folder: Path, record: ValueRecord) -> None:
    write_json(folder / VALUE_FILE, record.model_dump())


def read_value_record(folder: Path) -> ValueRecord:
    """Raises: UsageError for a folder without one, or with one that can't be read."""
    path = folder / VALUE_FILE
    if not path.is_file():
        raise UsageError(f"{folder}: no value model ({VALUE_FILE} is missing); make one with `karl value train`")
    try:
        return ValueRecord.model_validate(read_json(path))
    except ValidationError as exc:
        error = exc.errors()[0]
        raise UsageError(f"{path}: key '{'.'.join(map(str, error['loc']))}': {error['msg']}") from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path}: can't be read: {exc}") from exc
