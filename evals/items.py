"""What a task of the suite asks: items of one shape, whatever data set they come from."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Nugget(BaseModel, frozen=True, extra="forbid"):
    """One fact of a right answer."""

    text: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    """Other wordings that say the same, such as an entity's other names."""


class EvalItem(BaseModel, frozen=True, extra="forbid"):
    """One question with what is known of its answer."""

    key: str = Field(min_length=1, description="its id in the data set")
    question: str = Field(min_length=1)
    reference: str = Field(description="the answer as published")
    nuggets: tuple[Nugget, ...] = ()
    """Facts of the answer; empty: still to be made from the references by a nuggetiser."""
    references: tuple[str, ...] = ()
    """Several published answers, where there are; `reference` is the first of them."""
    gold: tuple[str, ...] = ()
    """Keys of the chunks that hold the evidence, `document` or `document#page` with pages from 1."""
    split: str = "test"
    kind: str = ""
    proof: str = ""
    """Why the answer is the only one, where the item was generated."""
