"""The base of every part of a graph file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Closed(BaseModel):
    """Frozen; unknown keys are refused, and numbers that are none: `.inf` is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
