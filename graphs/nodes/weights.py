"""What each attempt weighs in a vote: the value of how it ended, or the confidence that it states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agents.engines.base import Generation
from agents.values import LikelihoodValue, ValueFunction, scored
from graphs.harness import Harness
from graphs.nodes.base import gather_all
from graphs.schema import VoteNode
from store.types import RolloutRecord


class Weights(NamedTuple):
    """N weights, None where unknown; `name` says what they are."""

    weights_N: list[float | None]
    name: str


async def weigh(harness: Harness, node: VoteNode, attempts_N: Sequence[RolloutRecord]) -> Weights:
    """Raises: EngineError when the value function fails."""
    function = harness.value
    guided = any(attempt.steps and attempt.steps[-1].value is not None for attempt in attempts_N)
    given = function is not None and not isinstance(function, LikelihoodValue)
    if function is None or node.weights == "confidence" or not (node.weights or guided or given):
        return Weights([attempt.confidence for attempt in attempts_N], "stated confidence")
    values = await gather_all([_value(function, attempt) for attempt in attempts_N])
    return Weights(values, f"value ({function.name})")


async def _value(function: ValueFunction, attempt: RolloutRecord) -> float | None:
    """Of the attempt's last step: as when the step was chosen, else scored now; None where nothing was sampled."""
    if not attempt.steps or not attempt.segments:
        return attempt.steps[-1].value if attempt.steps else None
    last, segment = attempt.steps[-1], attempt.segments[-1]
    if last.value is not None or not last.sampled_tokens:
        return last.value
    # A segment ends with the last sampled token.
    cut = len(segment.token_ids) - last.sampled_tokens
    ending = Generation(segment.token_ids[cut:], segment.logprobs[cut:], "stop")
    return (await scored(function, segment.token_ids[:cut], [ending]))[0]
