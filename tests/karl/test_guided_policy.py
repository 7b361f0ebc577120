"""Value-guided search with the shipped policy on the local engine: exact log-probs, same seed same trace."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence

import pytest
import torch

from agents.engines.base import Generation
from agents.engines.local import LocalEngine, load_model
from agents.policy import Policy, load_policy
from graphs.loading import load_runner
from graphs.state import RolloutInputs
from karl import load_graph
from karl.tiny import POLICY_FOLDER
from karl.tiny.world import WorldSize, make_world, questions
from store.types import Purpose, RolloutRecord, SegmentRecord
from tests.harness_kit import ListSearcher, hit

WORLD = make_world(5, size=WorldSize(people=12, teams=4, products=4, customers=6))
ASKED = [RolloutInputs(question=question.text) for question in questions(WORLD, count=6, seed=5)]
NOTES = [hit(number, fact.sentence) for number, fact in enumerate(WORLD.facts, 1)]


class SecondBest:
    """Prefers what the policy finds less likely: so that a later candidate is often the kept one."""

    name = "second-best"

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
        return [1.0 / (1.0 - sum(c.logprobs) / max(len(c.logprobs), 1)) for c in candidates_K][::-1]


@pytest.fixture
async def policy() -> AsyncIterator[Policy]:
    engine = LocalEngine(load_model(POLICY_FOLDER), name="shipped")
    yield load_policy(POLICY_FOLDER, engine=engine)
    await engine.aclose()


async def ask(policy: Policy, graph: str, *, runs: int = 0) -> list[RolloutRecord]:
    changes = {"nodes": {"attempts": {"runs": runs}}} if runs else None
    runner = load_runner(graph, policy=policy, searcher=ListSearcher(NOTES), value=SecondBest(), changes=changes)
    rollouts = [runner.run(inputs, key=f"r{n}", purpose=Purpose.EVALUATE, seed=n) for n, inputs in enumerate(ASKED)]
    return list(await asyncio.gather(*rollouts))


def plain_logprobs(model: torch.nn.Module, segment: SegmentRecord) -> list[float]:
    """Of the sampled tokens, by one forward pass over the whole segment, as the trainer computes them."""
    ids_1T = torch.tensor([segment.token_ids])
    with torch.inference_mode():
        logprobs_TV = model(input_ids=ids_1T).logits[0, :-1].log_softmax(-1)
    chosen_T = logprobs_TV.gather(1, ids_1T[0, 1:, None])[:, 0]
    return [float(p) for p, bit in zip(chosen_T, segment.loss_mask[1:], strict=True) if bit]


async def test_log_probs_of_kept_candidates_are_those_of_the_plain_model(policy: Policy) -> None:
    records = await ask(policy, "value_guided_solver")
    model, kept_later, compressed = load_model(POLICY_FOLDER), 0, 0
    for record in records:
        assert record.failure is None or record.status == "unfinished"
        kept_later += sum(step.alternatives[1].kept for step in record.steps)
        compressed += sum(segment.compression for segment in record.segments)
        for segment in record.segments:
            said = [p for p, bit in zip(segment.logprobs, segment.loss_mask, strict=True) if bit]
            assert said == pytest.approx(plain_logprobs(model, segment), abs=1e-4)
        assert record.sampled_tokens == sum(sum(segment.loss_mask) for segment in record.segments)
        assert record.discarded_tokens > 0 and not record.trainable
    assert kept_later > 3 and compressed > 0  # forks went on, and summaries were chosen


def timeless(record: RolloutRecord) -> RolloutRecord:
    steps = [
        dataclasses.replace(
            step, policy_seconds=0.0, tool_seconds=0.0, calls=[dataclasses.replace(c, seconds=0.0) for c in step.calls]
        )
        for step in record.steps
    ]
    # The last bits of log-probs depend on who was computed in the same batch.
    segments = [dataclasses.replace(s, logprobs=[round(p, 3) for p in s.logprobs]) for s in record.segments]
    attempts = [timeless(attempt) for attempt in record.attempts]
    return dataclasses.replace(
        record, seconds=0.0, queued=0.0, began=0.0, steps=steps, segments=segments, attempts=attempts
    )


async def test_one_candidate_gives_the_solvers_own_rollouts(policy: Policy) -> None:
    changes = {"nodes": {"think": {"candidates": 1}, "compress": {"candidates": 1}}}
    plain = await ask(policy, "solver")
    runner = load_runner(
        "value_guided_solver", policy=policy, searcher=ListSearcher(NOTES), value=SecondBest(), changes=changes
    )
    for number, (inputs, expected) in enumerate(zip(ASKED, plain, strict=True)):
        record = await runner.run(inputs, key=f"r{number}", purpose=Purpose.EVALUATE, seed=number)
        record = dataclasses.replace(record, provenance=expected.provenance)
        assert timeless(record) == timeless(expected)


async def test_searches_and_a_vote_with_the_shipped_policy(policy: Policy) -> None:
    records = await ask(policy, "value_guided_search", runs=3)
    answered = [record for record in records if record.failure is None]
    assert len(answered) >= 4
    for record in answered:
        given = [attempt.answer for attempt in record.attempts if attempt.answer]
        assert len(record.attempts) == 3 and record.answer in given and 0 < (record.confidence or 0) <= 1
        (step,) = record.steps
        assert f"value (second-best): {len(given)} of 3 attempts answered" in step.text


async def test_candidates_and_searches_are_set_from_python_and_all_tokens_are_counted(policy: Policy) -> None:
    changes = {"nodes": {"think": {"candidates": 3}}}
    graph = load_graph(
        "value_guided_search",
        policy=policy,
        corpus=ListSearcher(NOTES),
        value=SecondBest(),
        attempts=2,
        overrides={"nodes": {"attempts": {"changes": changes}}},
        on_failure="return",
    )
    answer = await graph.ainvoke(ASKED[0].question)
    attempts = answer.record.attempts
    assert len(attempts) == 2
    turns = [step for attempt in attempts for step in attempt.steps if step.kind != "compress"]
    assert turns and {len(step.alternatives) for step in turns} == {3}
    assert answer.usage.discarded_tokens == sum(attempt.discarded_tokens for attempt in attempts) > 0
    assert answer.usage.turns == len(turns)
    assert answer.usage.prompt_tokens == sum(
        step.prompt_tokens * len(step.alternatives) for attempt in attempts for step in attempt.steps
    )
