"""Value-guided steps: the best candidate is kept, the others are written down, and only the kept one's tokens count."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pytest

from agents.engines.base import GenerateRequest, Generation
from agents.policy import Policy
from agents.values import LikelihoodValue, scored
from graphs.state import RolloutInputs
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus
from tests.graphs.small import small_runner
from tests.harness_kit import scripted_policy

QUESTION = RolloutInputs(question="where does mira work?")
FIRST = ("<search>x</search>", "<search>falcon oslo</search>")
LAST = ("[1] so <answer>oslo</answer>", "<answer>no</answer>")


class Longest:
    """The longer, the likelier to end correct."""

    name = "longest"

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, ...], list[list[int]]]] = []

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
        self.asked.append((tuple(prefix_ids), [list(c.token_ids) for c in candidates_K]))
        return [len(candidate.token_ids) / 100 for candidate in candidates_K]


def number_of(request: GenerateRequest) -> int:
    """Which candidate of its step a request is for."""
    return int(request.session.rpartition("-")[2]) if request.fork_of else 0


def two_steps(first: Sequence[str] = FIRST, last: Sequence[str] = LAST) -> Policy:
    """A search, then an answer: as many candidates as texts; log-probs tell candidates apart."""

    def respond(request: GenerateRequest) -> Generation:
        texts = last if "<|tool|>" in policy.decode(list(request.prompt_ids)) else first
        index = number_of(request)
        ids = [*policy.encode(texts[index]), policy.stop_ids[0]]
        return Generation(ids, [-(index + 1) / 8] * len(ids), "stop")

    policy = scripted_policy(respond)
    return policy


async def guided(
    policy: Policy, *, value: Any = None, graph: str = "value_guided_solver", **changes: Any
) -> RolloutRecord:
    runner = small_runner(graph, policy=policy, value=value, **changes)
    return await runner.run(QUESTION, key="r", purpose=Purpose.EVALUATE, seed=3)


def candidates(count: int) -> dict[str, Any]:
    return {"nodes": {"think": {"candidates": count}, "compress": {"candidates": count}}}


async def test_the_best_candidate_goes_on_and_the_others_are_written_down() -> None:
    policy, value = two_steps(), Longest()
    record = await guided(policy, value=value)
    assert record.answer == "oslo" and [step.query for step in record.steps] == ["falcon oslo", None]
    for step, texts, kept in zip(record.steps, (FIRST, LAST), (1, 0), strict=True):
        counts = [len(policy.encode(text)) + 1 for text in texts]
        assert [(a.text, a.value, a.kept, a.sampled_tokens, a.value_function) for a in step.alternatives] == [
            (text, count / 100, index == kept, count, "longest")
            for index, (text, count) in enumerate(zip(texts, counts, strict=True))
        ]
        assert step.value == step.alternatives[kept].value == max(a.value for a in step.alternatives)
        assert step.sampled_tokens == counts[kept]
    assert record.discarded_tokens == sum(len(policy.encode(text)) + 1 for text in (FIRST[0], LAST[1]))


async def test_candidates_share_their_prefix_and_only_the_kept_one_enters_the_segment() -> None:
    policy, value = two_steps(), Longest()
    record = await guided(policy, value=value)
    engine: Any = policy.engine
    (segment,) = record.segments
    for step, requests in zip(record.steps, (engine.requests[:2], engine.requests[2:]), strict=True):
        assert [list(r.prompt_ids) for r in requests] == [segment.token_ids[: step.prompt_tokens]] * 2
        assert len({r.sampling.seed for r in requests}) == 2
    assert [list(prefix) for prefix, _ in value.asked] == [segment.token_ids[: s.prompt_tokens] for s in record.steps]
    sampled = [t for t, bit in zip(segment.token_ids, segment.loss_mask, strict=True) if bit]
    assert policy.decode(sampled) == "<search>falcon oslo</search><|end|>[1] so <answer>oslo</answer><|end|>"
    logprobs = [p for p, bit in zip(segment.logprobs, segment.loss_mask, strict=True) if bit]
    counts = [step.sampled_tokens for step in record.steps]
    assert logprobs == [-2 / 8] * counts[0] + [-1 / 8] * counts[1]
    assert sum(segment.loss_mask) == record.sampled_tokens == sum(counts)


async def test_losers_sessions_are_released_at_once_and_the_winners_goes_on() -> None:
    order: list[str] = []

    def respond(request: GenerateRequest) -> str:
        order.append(f"{request.session} of {request.fork_of or '-'}; released {engine.released}")
        return (LAST if "<|tool|>" in policy.decode(list(request.prompt_ids)) else FIRST)[number_of(request)]

    policy = scripted_policy(respond)
    engine: Any = policy.engine
    await guided(policy, value=Longest())
    assert order == [
        "r/1 of -; released []",
        "r/1/0-1 of r/1; released []",
        "r/1/0-1 of -; released ['r/1']",
        "r/1/1-1 of r/1/0-1; released ['r/1']",
    ]
    assert engine.released == ["r/1", "r/1/1-1", "r/1/0-1"]


async def test_candidates_with_the_same_text_are_scored_once() -> None:
    value = Longest()
    texts = ("<search>mira</search>", "<search>x</search>", "<search>mira</search>", "<search>mira</search>")
    record = await guided(two_steps(first=texts, last=LAST[:1] * 4), value=value, **candidates(4))
    assert [len(asked) for _, asked in value.asked] == [2, 1]
    assert [a.kept for a in record.steps[0].alternatives] == [True, False, False, False]
    values = [a.value for a in record.steps[0].alternatives]
    assert values[0] == values[2] == values[3] > values[1]
    assert len(record.steps[1].alternatives) == 4 and record.steps[1].alternatives[0].kept


def timeless(record: RolloutRecord) -> RolloutRecord:
    steps = [dataclasses.replace(step, policy_seconds=0.0, tool_seconds=0.0, calls=[]) for step in record.steps]
    return dataclasses.replace(record, seconds=0.0, queued=0.0, began=0.0, steps=steps)


async def test_one_candidate_is_the_plain_solver() -> None:
    value = Longest()
    one = await guided(two_steps(), value=value, **candidates(1))
    plain = await guided(two_steps(), graph="solver")
    assert timeless(dataclasses.replace(one, provenance=plain.provenance)) == timeless(plain)
    assert one.trainable and value.asked == [] and one.steps[0].alternatives == []


async def test_what_was_selected_is_not_trained_on() -> None:
    assert not (await guided(two_steps(), value=Longest())).trainable


SQUEEZE = [
    {"kind": "step_budget", "steps": 6},
    {"kind": "compression", "trigger_tokens": 120, "summary_tokens": 64},
]


async def test_compressions_are_chosen_as_well() -> None:
    def respond(request: GenerateRequest) -> str:
        text, index = policy.decode(list(request.prompt_ids)), number_of(request)
        if text.endswith("summarise<|end|><|assistant|>"):
            return ("<summary>mira</summary>", "<summary>[1] mira leads falcon</summary>")[index]
        return LAST[index] if "so far" in text else "<search>mira leads falcon works orion</search>"

    policy = scripted_policy(respond)
    record = await guided(policy, value=Longest(), plugins=SQUEEZE)
    assert [step.kind for step in record.steps] == ["search", "compress", "answer"]
    summaries = record.steps[1].alternatives
    assert [a.kept for a in summaries] == [False, True] and record.steps[1].value == summaries[1].value
    assert [segment.compression for segment in record.segments] == [False, True, False]
    assert "so far: [1] mira leads falcon<|end|>" in policy.decode(record.segments[2].token_ids)
    assert record.sampled_tokens == sum(sum(segment.loss_mask) for segment in record.segments)
    engine: Any = policy.engine
    assert set(engine.released) == {request.session for request in engine.requests}
    # The prompt after a compression extends nothing: its candidates branch off a session of its own.
    assert [(request.session, request.fork_of) for request in engine.requests] == [
        ("r/1", ""),
        ("r/1/0-1", "r/1"),
        ("r/1", ""),
        ("r/1/1-1", "r/1"),
        ("r/2", ""),
        ("r/2/2-1", "r/2"),
    ]


async def test_discarded_tokens_count_against_a_token_budget() -> None:
    policy = two_steps(first=("<search>mira</search>",) * 2, last=("<search>mira</search>",) * 2)
    turn = len(policy.encode("<search>mira</search>")) + 1
    budget = [{"kind": "token_budget", "tokens": 6 * turn}]
    both = await guided(policy, value=Longest(), plugins=budget)
    assert len(both.steps) == 3 and both.failure is not None and both.failure.kind is FailureKind.BUDGET
    assert both.sampled_tokens == both.discarded_tokens == 3 * turn


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([0.5], "value function odd: ValueError: 1 values for 2 candidates"),
        ([0.5, 1.5], "ValueError: 1.5 is no probability; a value lies in [0, 1]"),
        ([math.nan, 0.5], "ValueError: nan is no probability"),
        (RuntimeError("no weights"), "value function odd: RuntimeError: no weights"),
    ],
)
async def test_a_value_function_that_fails_is_the_environments_fault(answers: Any, reason: str) -> None:
    class Odd:
        name = "odd"

        async def score(self, prefix_ids: Any, candidates_K: Any) -> list[float]:
            if isinstance(answers, Exception):
                raise answers
            return answers

    record = await guided(two_steps(), value=Odd())
    assert record.status is RolloutStatus.FAILED and record.failure is not None
    assert record.failure.kind is FailureKind.ENGINE and reason in record.failure.reason


async def test_the_fallback_is_the_likelihood_and_says_so() -> None:
    record = await guided(two_steps())
    assert [step.value for step in record.steps] == pytest.approx([math.exp(-1 / 8)] * 2)
    assert record.steps[0].alternatives[0].value_function == "likelihood"
    some = [Generation([1, 2], [-0.5, -1.5], "stop"), Generation([], [], "length"), Generation([1], [1e-9], "stop")]
    assert await scored(LikelihoodValue(), [5], some) == pytest.approx([math.exp(-1.0), 1.0, 1.0])


async def test_searches_side_by_side_end_in_a_vote_by_the_values_of_their_answers() -> None:
    """Answers of five searches: oslo twice with low values, lima once with a high one, two that never answer."""
    ends = ("oslo", "lima", "oslo", "", "")

    def respond(request: GenerateRequest) -> str:
        index = int(request.session.split("value_guided_solver-")[1].split("/")[0])
        if "<|tool|>" not in policy.decode(list(request.prompt_ids)):
            return "<search>mira</search>"
        because = "because of all that was said " if ends[index] == "lima" else ""
        return f"[1] {because}<answer>{ends[index]}</answer>" if ends[index] else "hm"

    policy = scripted_policy(respond)
    record = await guided(policy, value=Longest(), graph="value_guided_search")
    values = [attempt.steps[-1].value for attempt in record.attempts[:3]]
    total = math.fsum(value for value in values if value is not None)
    assert record.answer == "lima" and values[1] is not None and record.confidence == pytest.approx(values[1] / total)
    assert record.steps[0].text.startswith("weighted_majority by value (longest): 3 of 5 attempts answered\n")
    assert [a.provenance.graph for a in record.attempts] == ["value_guided_solver"] * 5
    assert record.citations == [11] and not record.trainable and all(not a.trainable for a in record.attempts)
    again = await guided(policy, value=Longest(), graph="value_guided_search")
    assert [timeless(a) for a in again.attempts] == [timeless(a) for a in record.attempts]
    by_count = {"nodes": {"attempts": {"strategy": "majority"}}}
    assert (await guided(policy, value=Longest(), graph="value_guided_search", **by_count)).answer == "oslo"
