"""K continuations of the same tokens, of which the one with the highest value is kept (KARL, section 6)."""

from __future__ import annotations

import time
from typing import NamedTuple

from agents.values import scored
from graphs.harness import Harness, Sampled
from graphs.nodes.base import gather_all
from graphs.state import Rollout
from store.types import AlternativeRecord


class Kept(NamedTuple):
    """The candidate to go on with; its value and all K of them, in order, where there were several."""

    sampled: Sampled
    value: float | None = None
    alternatives: tuple[AlternativeRecord, ...] = ()

    def note(self, harness: Harness, rollout: Rollout) -> None:
        """Write value and alternatives on the last step. A single candidate leaves no trace."""
        if self.alternatives:
            harness.amend_step(rollout, value=self.value, alternatives=list(self.alternatives))


async def best_of(harness: Harness, rollout: Rollout, *, candidates: int, max_tokens: int, aloud: bool = False) -> Kept:
    """Sample `candidates` continuations of the open segment side by side; keep the best by value, the first of equals.

    One candidate is sampled as a policy node would, and not scored. Of several, the losers' engine sessions are
    released, and the rollout stops being trainable: what was selected by a value was not sampled from the policy, so
    its log-probs are those of another distribution, and OAPL's regression would fit the wrong one.
    Raises: EngineError, also for a value function that fails; BudgetError.
    """
    if candidates == 1:
        return Kept(await harness.sample(rollout, max_tokens=max_tokens, aloud=aloud))
    rollout.trainable = False
    began = time.perf_counter()
    sampled_K = await gather_all(
        [harness.sample(rollout, max_tokens=max_tokens, candidate=index) for index in range(candidates)]
    )
    texts_K = [rollout.tokens.text_of(sampled.generation) for sampled in sampled_K]
    values_K = await _values(harness, rollout, sampled_K, texts_K)
    best = max(range(candidates), key=lambda index: values_K[index])
    harness.keep_candidate(rollout, best)
    kept = sampled_K[best]._replace(seconds=time.perf_counter() - began)
    return Kept(kept, values_K[best], _alternatives(harness, rollout, sampled_K, texts_K, values_K, best))


async def _values(harness: Harness, rollout: Rollout, sampled_K: list[Sampled], texts_K: list[str]) -> list[float]:
    """K values; of candidates with the same text only the first is scored."""
    if harness.value is None:
        raise ValueError(f"graph '{harness.spec.name}' needs a value function and was given none")
    first_of: dict[str, int] = {}
    for index, text in enumerate(texts_K):
        first_of.setdefault(text, index)
    prefix = tuple(rollout.tokens.prompt())  # a copy: the conversation's own list grows
    values = await scored(harness.value, prefix, [sampled_K[index].generation for index in first_of.values()])
    value_of = dict(zip(first_of, values, strict=True))
    return [value_of[text] for text in texts_K]


def _alternatives(
    harness: Harness,
    rollout: Rollout,
    sampled_K: list[Sampled],
    texts_K: list[str],
    values_K: list[float],
    best: int,
) -> tuple[AlternativeRecord, ...]:
    """All candidates for the trace. Tokens of the losers count against token budgets: they were paid for."""
    counts_K = [len(sampled.generation.token_ids) for sampled in sampled_K]
    rollout.sampled_tokens += sum(counts_K) - counts_K[best]
    assert harness.value is not None  # they were scored
    name = harness.value.name
    return tuple(
        AlternativeRecord(text, value, index == best, count, name)
        for index, (text, value, count) in enumerate(zip(texts_K, values_K, counts_K, strict=True))
    )
