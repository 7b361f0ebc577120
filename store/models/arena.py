"""Answers of several systems to one question, side by side, and which of them a person preferred."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.models.columns import json_object_column, now
from store.types import VoteKind


class ArenaSystem(SQLModel, table=True):
    """What answers: weights, graph, prompts and settings. `key` is the hash of all that; another prompt is another."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, index=True)
    name: str  # as it was first called: "acme-1/oapl-1:graph=aggregator"
    checkpoint: str = ""  # a folder, or the URL of an endpoint
    weights_sha256: str = ""  # empty: an endpoint's model, whose weights nobody shows
    model: str = ""
    policy_version: int = 0
    graph: str = ""
    graph_sha256: str = ""
    prompt_sha256: dict[str, str] = json_object_column()
    inner_sha256: dict[str, str] = json_object_column()  # graphs that the graph runs, and their prompts
    value_sha256: str = ""
    temperature: float | None = None  # None: the graph's own
    created_at: datetime = Field(default_factory=now)


class ArenaBattle(SQLModel, table=True):
    """One question. `blind`: the names were hidden until the vote."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, index=True)
    corpus_id: int = Field(foreign_key="corpus.id", index=True)
    question: str
    blind: bool
    # Of sampling, and of the order where it is blind. BigInteger: seeds have up to 63 bits.
    seed: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_at: datetime = Field(default_factory=now)


class ArenaAnswer(SQLModel, table=True):
    """One column of a battle. The answer is its rollout's."""

    __table_args__ = (UniqueConstraint("battle_id", "letter"),)
    id: int | None = Field(default=None, primary_key=True)
    battle_id: int = Field(foreign_key="arenabattle.id", index=True)
    letter: str  # A, B ...: the order in which they were shown
    system_id: int = Field(foreign_key="arenasystem.id", index=True)
    rollout_id: int | None = Field(default=None, foreign_key="rollout.id", index=True)
    failure: str = ""  # why there is no rollout: an endpoint that was down, a model that could not be loaded


class ArenaVote(SQLModel, table=True):
    """At most one a battle: after it the names are known."""

    id: int | None = Field(default=None, primary_key=True)
    battle_id: int = Field(foreign_key="arenabattle.id", unique=True, index=True)
    kind: VoteKind
    answer_id: int | None = Field(default=None, foreign_key="arenaanswer.id")  # the winner
    note: str = ""
    created_at: datetime = Field(default_factory=now)
