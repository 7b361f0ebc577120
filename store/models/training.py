"""What was trained, on what, and how well it did: datasets, checkpoints, metrics, evaluations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.models.columns import json_object_column, now
from store.types import Algorithm


class Dataset(SQLModel, table=True):
    """A frozen snapshot: the rollouts in it never change, `sha256` proves it."""

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    iteration: int
    name: str = Field(unique=True)
    policy_version: int  # of the policy that sampled it
    group_count: int = 0
    rollout_count: int = 0
    segment_count: int = 0
    trained_token_count: int = 0
    sha256: str = ""
    created_at: datetime = Field(default_factory=now)


class DatasetRollout(SQLModel, table=True):
    dataset_id: int = Field(foreign_key="dataset.id", primary_key=True)
    rollout_id: int = Field(foreign_key="rollout.id", primary_key=True)
    group_id: int  # the task's id: V is estimated once per group
    reward: float


class Checkpoint(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    run_id: int | None = Field(default=None, foreign_key="run.id", index=True)
    name: str = Field(unique=True)  # "<run>/oapl-1"
    iteration: int = 0
    algorithm: Algorithm
    path: str  # a Hugging Face folder
    weights_sha256: str = ""
    policy_version: int = 0
    dataset_id: int | None = Field(default=None, foreign_key="dataset.id")
    parent_id: int | None = Field(default=None, foreign_key="checkpoint.id")
    settings: dict[str, Any] = json_object_column()
    created_at: datetime = Field(default_factory=now)


class Metric(SQLModel, table=True):
    __table_args__ = (Index("ix_metric_curve", "run_id", "series", "name", "step"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    iteration: int = 0
    series: str = Field(default="", index=True)  # e.g. "oapl-1"
    step: int = 0
    name: str = Field(index=True)
    value: float
    created_at: datetime = Field(default_factory=now)


class EvalResult(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("run_id", "arm", "split"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    arm: str
    split: str = "held_out"
    iteration: int = 0
    checkpoint_id: int | None = Field(default=None, foreign_key="checkpoint.id")
    temperature: float = 1.0
    figures: dict[str, Any] = json_object_column()  # name -> {mean, low, high} or a number
    created_at: datetime = Field(default_factory=now)
