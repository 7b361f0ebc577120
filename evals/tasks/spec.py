"""What a task of KARLBench is: its data, how its corpus is cut and searched, what an answer is worth. All declared."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from store.chunking.policy import Chunking


class Metric(StrEnum):
    """What scores an answer; all of them are nugget completion, with what is particular to a task beside it."""

    NUGGETS = "nuggets"  # the share of facts that the answer supports
    BINARY = "binary"  # one nugget: right or wrong
    ENTITIES = "entities"  # one nugget an entity; precision, recall and F1 of the entities too
    NUMERIC = "numeric"  # one nugget, and a checker that knows units and rounding beside the judge


class HubSource(BaseModel, frozen=True, extra="forbid"):
    """Files of a data set on the Hugging Face hub, and the folder of the task's data that they come to."""

    dataset: str
    include: tuple[str, ...] = ("*.parquet", "*.jsonl")
    """Patterns of the files' paths in the data set (* also matches /)."""
    into: str = "."
    revision: str = "main"

    @property
    def url(self) -> str:
        return f"https://huggingface.co/datasets/{self.dataset}"


class HandSource(BaseModel, frozen=True, extra="forbid"):
    """Files that a person has to get; `files`: their paths in the folder of the task's data."""

    where: str
    files: tuple[str, ...]


class Split(BaseModel, frozen=True, extra="forbid"):
    """A part of the questions. `questions`: how many the full set has."""

    name: str
    questions: int = Field(gt=0)
    purpose: Literal["evaluation", "synthesis", "further"] = "evaluation"
    chunks: int | None = None
    """Of a split with a corpus of its own."""


class Expected(BaseModel, frozen=True, extra="forbid"):
    """The published table's figures, checked after loading."""

    questions: int = Field(gt=0)
    chunks: int = Field(gt=0)
    nuggets: float = Field(gt=0, description="mean number a question")
    nuggets_published: bool = True
    """False: the data holds references only; nuggets are made from them later and not counted on loading."""


class TaskSpec(BaseModel, frozen=True, extra="forbid"):
    """One task."""

    name: str
    title: str
    regime: str
    hub: tuple[HubSource, ...] = ()
    by_hand: tuple[HandSource, ...] = ()
    licence: str
    chunking: Chunking
    embedder: str = "Qwen/Qwen3-Embedding-0.6B"
    """The published one; any other may be given to `karl ingest`."""
    k: int = Field(default=20, gt=0, description="chunks a search")
    steps: int = Field(default=50, gt=0)
    """Turns a rollout. The paper names 200 for BrowseComp-Plus and 50 for TREC-Biogen; 50 is our choice elsewhere."""
    prompt: str = "solver"
    """Name of the solver's prompt."""
    guidance: str = ""
    """The task's own prompt for the nuggetiser, beside the general one; for data that comes without nuggets."""
    metric: Metric
    trained: bool = False
    """Whether the paper trained on it (in distribution) or held it out."""
    splits: tuple[Split, ...] = Field(min_length=1)
    """The first is the one that is evaluated, unless `evaluated` says otherwise."""
    evaluated: Literal["", "all"] = ""
    """`all`: the evaluation takes every split, each a figure of its own."""
    expected: Expected

    @property
    def evaluated_split(self) -> str:
        return self.evaluated or self.splits[0].name

    def split(self, name: str) -> Split | None:
        return next((split for split in self.splits if split.name == name), None)
