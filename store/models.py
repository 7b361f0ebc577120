"""Tables of the store: columns only. Queries live in `store.queries`, migrations in `store/migrations`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, LargeBinary, String, UniqueConstraint, text, true
from sqlmodel import Field, SQLModel

from store.types import Algorithm, FailureKind, Fate, Purpose, Role, RolloutStatus, RunState, Stage, StepKind


def now() -> datetime:
    return datetime.now(UTC)


def json_column(**options: Any) -> Any:
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False, **options))


def added(default: Any, kind: Any, server_default: Any) -> Any:
    """A column that came after the first schema: rows of before get `server_default`."""
    return Field(default=default, sa_column=Column(kind, nullable=False, server_default=server_default))


def json_object_column() -> Any:
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class Corpus(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, index=True)
    source: str  # the folder or file that was ingested
    settings: dict[str, Any] = json_object_column()  # CorpusSettings as given at ingestion
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class Document(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("corpus_id", "path"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    corpus_id: int = Field(foreign_key="corpus.id", index=True)
    path: str  # relative to the corpus's source; JSONL: path#id, or path#line-N where the line has no id
    title: str = ""
    kind: str = ""  # pdf, markdown, text, html, jsonl
    sha256: str  # of reader version, reader settings and contents: what decides whether to read it again
    chunk_count: int = 0
    error: str | None = None  # why the file was skipped; such a document has no chunks
    problems: list[str] = json_column()  # what was left out of a document that could be read: pages, front matter


class Chunk(SQLModel, table=True):
    # Ids are never used again: old rollouts hold chunk ids as hits and citations.
    __table_args__ = (UniqueConstraint("corpus_id", "key"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    corpus_id: int = Field(foreign_key="corpus.id", index=True)
    document_id: int = Field(foreign_key="document.id", index=True)
    key: str  # "<document path>#<ordinal>", stable across re-ingestion
    ordinal: int
    title: str = ""
    page: int | None = None  # 1-based, PDFs only
    text: str
    sha256: str


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


class Task(SQLModel, table=True):
    """A question, from proposal to fate; also the held-out ones (iteration 0)."""

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


class Rollout(SQLModel, table=True):
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
    seconds: float = 0.0
    trainable: bool = added(True, Boolean, true())  # False: its tokens are unknown or were selected
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
    labels: list[str] = json_column()
    score: float | None = None
    reason: str = ""
    created_at: datetime = Field(default_factory=now)


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
