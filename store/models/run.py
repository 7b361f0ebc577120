"""A run of the loop: its iterations, the questions that it wrote, and what judges said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, String, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.models.columns import added, json_column, json_object_column, now
from store.types import Fate, RunState, Stage


class Run(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, index=True)
    corpus_id: int = Field(foreign_key="corpus.id")
    state: RunState = RunState.RUNNING
    settings: dict[str, Any] = json_object_column()  # the frozen RunConfig
    error: str | None = None
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class Iteration(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("run_id", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    number: int  # 1-based
    stage: Stage = Stage.SYNTHESIZE
    done: bool = False
    seconds: dict[str, float] = json_object_column()  # stage -> seconds spent
    graph_sha256: str = added("", String, text("''"))  # of the iteration graph


class StageProgress(SQLModel, table=True):
    """How far a stage of a run is, for whoever watches; nothing reads it to go on."""

    __table_args__ = (UniqueConstraint("run_id", "title"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    title: str  # as the terminal shows it: "iteration 1: writing questions"
    done: int = 0
    first: int = 0  # done already when it began; a rate counts from there
    total: int = 0
    under_way: int = 0  # rollouts at once; 0 where there are none
    note: str = ""
    over: bool = False
    began_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class Task(SQLModel, table=True):
    """A question, from proposal to fate; also the held-out ones (iteration 0)."""

    __table_args__ = (Index("ix_task_funnel", "run_id", "iteration", "fate"),)
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, index=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    iteration: int = Field(index=True)
    corpus_id: int = Field(foreign_key="corpus.id")
    kind: str = ""  # question kind where known (generated worlds, benchmarks)
    question: str
    answer: str
    nuggets: list[str] = json_column()
    citations: list[int] = json_column()
    fate: Fate = Field(default=Fate.PROPOSED, index=True)
    reason: str = ""
    pass_rate: float | None = None
    text: str = ""  # the generator's own words, kept for malformed candidates too
    # use_alter: task and rollout point at each other, so servers add this key after both tables.
    generator_rollout_id: int | None = Field(
        default=None,
        sa_column=Column(ForeignKey("rollout.id", name="fk_task_generator_rollout", use_alter=True), nullable=True),
    )
    created_at: datetime = Field(default_factory=now)


class Judgement(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, index=True)
    rollout_id: int | None = Field(default=None, foreign_key="rollout.id", index=True)
    task_id: int | None = Field(default=None, foreign_key="task.id", index=True)
    kind: str  # nuggets, duplicate, quality
    judge: str  # "rule" or the model's name
    prompt_sha256: str = ""
    graph: str = added("", String, text("''"))
    graph_sha256: str = added("", String, text("''"))
    function_sha256: dict[str, str] = json_object_column(server_default="{}")  # of the graph's python nodes
    labels: list[str] = json_column()
    score: float | None = None
    reason: str = ""
    created_at: datetime = Field(default_factory=now)
