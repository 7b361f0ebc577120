"""Dropping questions that repeat others: equal in normal form first, then near ones by similarity and a judge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from agents.judges import Duplicate, Judge, Pair, normalise
from graphs.nodes.base import gather_all
from graphs.similarity import Similarity
from graphs.state import GraphState

_BLOCK = 256  # rows of similarities held at once


class Decision(NamedTuple):
    """`of`: the question that it repeats; "" when it is kept."""

    kept: bool
    reason: str
    of: str = ""
    verdict: Duplicate | None = None  # of the judge; None where the words decided


@dataclass(frozen=True, slots=True)
class SetState:
    """A set of pairs being thinned out. `order`: indices, drawn at random; the earlier of two duplicates stays."""

    pairs: Sequence[Pair]
    held_out: Sequence[Pair]
    similarity: Similarity
    order: Sequence[int]
    dropped: dict[int, Decision]

    @property
    def remaining(self) -> list[int]:
        return [index for index in self.order if index not in self.dropped]


def order_of(count: int, *, seed: int) -> list[int]:
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


async def drop_exact(state: GraphState) -> dict[str, Any]:
    """Node: questions equal in normal form, to held-out ones first, then to one another."""
    pairs: SetState = state.values["set"]
    seen = {normalise(pair.question): ("a held-out question", pair.question) for pair in pairs.held_out}
    dropped = dict(pairs.dropped)
    for index in pairs.remaining:
        question = pairs.pairs[index].question
        twin = seen.get(normalise(question))
        if twin:
            dropped[index] = Decision(False, f"exact: the same as {twin[0]}", twin[1])
        seen.setdefault(normalise(question), ("another question of the set", question))
    return {"outcome": "ok", "values": {**state.values, "set": replace(pairs, dropped=dropped)}}


async def resolve_near(state: SetState, *, judge: Judge, top: int, threshold: float) -> SetState:
    """Drop what the judge calls a duplicate of a held-out pair, or of an earlier one that stays."""
    suspects = near_pairs(state, top=top, threshold=threshold)
    others = [*state.held_out, *(state.pairs[index] for index in state.remaining)]
    verdicts = await gather_all([judge.duplicate(state.pairs[index], others[other]) for index, other in suspects])
    found = [(pair, verdict) for pair, verdict in zip(suspects, verdicts, strict=True) if verdict.duplicate]
    return replace(state, dropped=_greedy(state, found))


def near_pairs(state: SetState, *, top: int, threshold: float) -> list[tuple[int, int]]:
    """(index of a pair, index into held-out + remaining): the `top` most similar before it, at least `threshold`."""
    remaining = state.remaining
    texts = [_text(pair) for pair in (*state.held_out, *(state.pairs[index] for index in remaining))]
    found: list[tuple[int, int]] = []
    for start in range(0, len(remaining), _BLOCK):
        block = remaining[start : start + _BLOCK]
        scores = state.similarity([_text(state.pairs[index]) for index in block], texts)
        for offset, (index, row) in enumerate(zip(block, scores, strict=True)):
            before = row[: len(state.held_out) + start + offset]
            nearest = np.argsort(-before, kind="stable")[:top]
            found += [(index, int(other)) for other in nearest if before[other] >= threshold]
    return found


def _greedy(state: SetState, found: list[tuple[tuple[int, int], Duplicate]]) -> dict[int, Decision]:
    remaining, held = state.remaining, len(state.held_out)
    dropped = dict(state.dropped)
    for (index, other), verdict in found:
        twin = state.held_out[other] if other < held else state.pairs[remaining[other - held]]
        gone = other >= held and remaining[other - held] in dropped
        if not gone and index not in dropped:
            which = "a held-out question" if other < held else "another question of the set"
            dropped[index] = Decision(False, f"near: a duplicate of {which} ({verdict.reason})", twin.question, verdict)
    return dropped


def _text(pair: Pair) -> str:
    # Question and answer together: an inverse question shares its words with both.
    return f"{pair.question} {pair.answer}"
