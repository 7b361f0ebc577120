"""What the policy did: a rollout, its steps, its tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, text, true
from sqlmodel import Field, SQLModel

from store.models.columns import added, json_column, json_object_column, now
from store.types import FailureKind, Purpose, Role, RolloutStatus, StepKind


class Rollout(SQLModel, table=True):
    # Both hold all that a list or a sum asks for: rows are wide, and there are many.
    __table_args__ = (
        Index(
            "ix_rollout_filter",
            *("run_id", "purpose", "iteration", "arm", "status", "failure_kind", "reward", "behaviour", "task_id"),
        ),
        Index("ix_rollout_spending", "run_id", "role", "model", "prompt_tokens", "sampled_tokens", "search_count"),
    )
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, index=True)
    run_id: int | None = Field(default=None, foreign_key="run.id", index=True)
    iteration: int = Field(default=0, index=True)
    task_id: int | None = Field(default=None, foreign_key="task.id", index=True)
    arm: str = Field(default="", index=True)  # which policy of a comparison: base, oapl-1, sft-1 ...
    attempt: int = 0
    role: Role
    purpose: Purpose = Field(index=True)
    status: RolloutStatus
    question: str = ""
    answer: str = ""
    explanation: str | None = ""  # None: a row from before it was kept
    confidence: float | None = None
    citations: list[int] = json_column()
    reward: float | None = Field(default=None)  # None: not scored, or failed
    failure_kind: FailureKind | None = None
    failure_reason: str = ""
    failure_traceback: str = ""
    graph: str = ""
    graph_sha256: str = ""
    prompt_sha256: dict[str, str] = json_object_column()
    model: str = ""
    policy_version: int = Field(default=0, index=True)
    temperature: float = 1.0
    seed: int = 0
    step_count: int = 0
    search_count: int = 0
    sampled_tokens: int = 0
    prompt_tokens: int = added(0, Integer, text("0"))  # every request counts its whole prompt
    seconds: float = 0.0
    queued: float = added(0.0, Float, text("0"))  # waited for a place among the attempts, outside of `seconds`
    began: float = added(0.0, Float, text("0"))  # after the start of the rollout that it is an attempt of
    trainable: bool = added(True, Boolean, true())  # False: its tokens are unknown or were selected
    behaviour: str = added("", String, text("''"))  # its class of search behaviour; "": not judged, or of before
    created_at: datetime = Field(default_factory=now)


class Step(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    rollout_id: int = Field(foreign_key="rollout.id", index=True)
    ordinal: int
    kind: StepKind
    text: str
    query: str | None = None
    hits: list[int] = json_column()
    prompt_tokens: int = 0
    sampled_tokens: int = 0
    policy_seconds: float = 0.0
    tool_seconds: float = 0.0
    calls: list[dict[str, Any]] = json_column(server_default="[]")  # ToolCallRecord
    alternatives: list[dict[str, Any]] = json_column(server_default="[]")  # AlternativeRecord
    value: float | None = None


class Segment(SQLModel, table=True):
    """Token ids (int32), loss mask (uint8) and log-probs (float32), little-endian; see `store.binary`."""

    id: int | None = Field(default=None, primary_key=True)
    rollout_id: int = Field(foreign_key="rollout.id", index=True)
    ordinal: int
    compression: bool = False
    token_count: int
    trained_token_count: int
    token_ids: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    loss_mask: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    logprobs: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    engine_crc: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))  # None: not witnessed
