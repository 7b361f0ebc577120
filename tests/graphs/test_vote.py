"""Votes over attempts: weights, equal answers, what the trace says, and one test per complaint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agents.engines.base import GenerateRequest, Generation
from agents.errors import JudgeError
from agents.judges import Equivalence, RuleJudge
from graphs.runner import GraphRunner
from graphs.schema import parse_spec
from graphs.state import RolloutInputs
from store.errors import UsageError
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.graphs.small import small_runner
from tests.graphs.test_tally import Says
from tests.harness_kit import scripted_policy

QUESTION = RolloutInputs(question="where does mira work?")


async def test_a_judge_that_fails_ends_the_rollout_and_leaves_nothing_running() -> None:
    class Down(RuleJudge):
        async def equivalent(self, first: str, second: str, *, question: str) -> Equivalence:
            if first == "a":
                raise JudgeError("judge down")
            await asyncio.sleep(60)
            raise AssertionError

    before = asyncio.all_tasks()
    record = await vote(["a", "b", "c"], judge=Down(), equivalence="judge")
    assert asyncio.all_tasks() <= before
    assert record.status is RolloutStatus.FAILED and record.failure is not None
    assert record.failure.kind is FailureKind.JUDGE and len(record.attempts) == 3


# -- through the graph -------------------------------------------------------------------------------------------------

BALLOT = """
name: ballot
description: Attempts and a vote.
role: aggregator
start: attempts
nodes:
  attempts: {kind: parallel, graph: solver, runs: RUNS, strategy: STRATEGY}
  vote: {kind: vote, VOTE}
edges:
  attempts: {majority: vote, weighted_majority: vote, best_of_n: vote, failed: end}
  vote: end
"""


def ballot(*, runs: int, strategy: str = "majority", **vote: str) -> str:
    options = ", ".join(f"{key.removeprefix('vote_')}: {value}" for key, value in vote.items())
    return (
        BALLOT.replace("RUNS", str(runs)).replace("STRATEGY", strategy).replace(", VOTE", f", {options}" * bool(vote))
    )


async def vote(
    answers: Sequence[str | tuple[str, int]],
    *,
    strategy: str = "majority",
    value: Any = None,
    judge: Any = None,
    logprobs: Sequence[float] = (),
    **node: str,
) -> RolloutRecord:
    """One attempt for each answer, or (answer, confidence in percent); "" says nothing that parses."""

    def respond(request: GenerateRequest) -> Any:
        index = int(request.session.split("solver-")[1].split("/")[0])
        given = answers[index]
        text, sure = given if isinstance(given, tuple) else (given, None)
        if "[1]" not in policy.decode(list(request.prompt_ids)):
            return f"<search>{'mira' if index % 2 else 'orion'}</search>"
        said = f"[1] so <answer>{text}</answer>" + (f"<confidence>{sure}</confidence>" if sure is not None else "")
        ids = [*policy.encode(said if text else "hm"), policy.stop_ids[0]]
        return Generation(ids, [logprobs[index] if logprobs else -0.5] * len(ids), "stop")

    policy = scripted_policy(respond)
    inner = {"solver": small_runner("solver", policy=policy)}
    spec = parse_spec(ballot(runs=len(answers), strategy=strategy, **node), source="f")
    runner = GraphRunner(spec, policy=policy, value=value, judge=judge, runners=inner)
    return await runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=0)


async def test_majority_needs_only_yaml() -> None:
    record = await vote(["lima", "Oslo", "the oslo.", "", "oslo"])
    assert record.answer == "Oslo" and record.confidence == pytest.approx(3 / 4)
    assert record.status is RolloutStatus.FINISHED and len(record.attempts) == 5 and record.segments == []
    assert not record.trainable  # chosen, not sampled


async def test_the_trace_says_who_won_what() -> None:
    record = await vote(["lima", "Oslo", "the oslo.", "", "oslo"])
    (step,) = record.steps
    assert step.kind is StepKind.ANSWER and step.sampled_tokens == record.sampled_tokens == 0
    assert step.text == ("majority: 4 of 5 attempts answered\n0.75 Oslo (3 of 4)\n0.25 lima (1 of 4)")
    assert [(a.text, a.value, a.kept) for a in step.alternatives] == [("lima", 0.25, False), ("Oslo", 0.75, True)]
    assert step.value == 0.75


async def test_the_winners_citations_become_the_rollouts_own() -> None:
    record = await vote(["lima", "oslo", "lima"])
    assert record.answer == "lima" and record.attempts[0].citations == record.citations == [13]
    record = await vote(["lima", "oslo", "", "oslo"])
    assert record.answer == "oslo" and record.attempts[1].citations == record.citations == [11]


@pytest.mark.parametrize(
    ("strategy", "answer", "confidence"),
    [("majority", "oslo", 2 / 3), ("weighted_majority", "lima", 0.9 / 1.4), ("best_of_n", "lima", 0.9)],
)
async def test_stated_confidences_weigh(strategy: str, answer: str, confidence: float) -> None:
    record = await vote([("oslo", 30), ("lima", 90), ("oslo", 20)], strategy=strategy)
    assert record.answer == answer and record.confidence == pytest.approx(confidence)


async def test_the_votes_own_strategy_comes_before_the_parallel_nodes() -> None:
    answers = [("oslo", 30), ("lima", 90), ("oslo", 20)]
    by_parallel = await vote(answers, strategy="majority")
    assert by_parallel.answer == "oslo" and by_parallel.steps[0].text.startswith("majority: 3 of 3")
    by_vote = await vote(answers, strategy="majority", vote_strategy="best_of_n")
    assert by_vote.answer == "lima" and by_vote.steps[0].text.startswith("best_of_n by stated confidence: 3 of 3")


class Shortest:
    """Shorter is better. Keeps the prefixes that it was asked about."""

    name = "shortest"

    def __init__(self) -> None:
        self.prefixes: list[tuple[int, ...]] = []

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
        self.prefixes.append(tuple(prefix_ids))
        return [1.0 / len(candidate.token_ids) for candidate in candidates_K]


async def test_attempts_without_a_value_are_scored_at_the_vote() -> None:
    function = Shortest()
    record = await vote(["trondheim in norway", "li", "trondheim in norway"], strategy="best_of_n", value=function)
    assert record.answer == "li" and "best_of_n by value (shortest)" in record.steps[0].text
    ends = [attempt.segments[-1] for attempt in record.attempts]
    for prefix, attempt, segment in zip(function.prefixes, record.attempts, ends, strict=True):
        assert list(prefix) == segment.token_ids[: attempt.steps[-1].prompt_tokens]
    assert record.confidence == pytest.approx(1.0 / record.attempts[1].steps[-1].sampled_tokens)


async def test_without_a_value_function_values_are_likelihoods_if_asked_for() -> None:
    said = ["oslo", "lima", "oslo"]
    plain = await vote(said, strategy="best_of_n", logprobs=[-2.0, -0.1, -1.0])
    assert plain.answer == "oslo" and plain.confidence is None  # nobody stated a confidence
    liked = await vote(said, strategy="best_of_n", logprobs=[-2.0, -0.1, -1.0], weights="value")
    assert liked.answer == "lima" and liked.confidence == pytest.approx(0.9048, abs=1e-4)
    assert "value (likelihood)" in liked.steps[0].text
    sure = await vote([("oslo", 90), ("lima", 10)], strategy="best_of_n", value=Shortest(), weights="confidence")
    assert sure.answer == "oslo" and sure.confidence == pytest.approx(0.9)


async def test_a_judge_merges_what_differs_in_form() -> None:
    said = ["oslo", "New York", "the big apple", "oslo", "NYC"]
    judge = Says(("New York", "the big apple"), ("New York", "NYC"))
    assert (await vote(said, judge=judge)).answer == "oslo"
    record = await vote(said, judge=judge, equivalence="judge")
    assert record.answer == "New York" and record.confidence == pytest.approx(0.6)


# -- complaints --------------------------------------------------------------------------------------------------------


async def test_a_judge_is_asked_for_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="compares answers by a judge and was given none; configure a judge"):
        await vote(["a"], equivalence="judge")


ROUTES = "{majority: vote, weighted_majority: vote, best_of_n: vote, failed: end}"
BROKEN = [
    ({"failed: end": "failed: vote"}, r"f:10:72: key 'edges.attempts.failed': too few .* lead 'failed' to 'end'"),
    (
        {"{majority": "{generative: vote, majority"},
        r"f:10:14: key 'edges.attempts.generative': 'generative' leaves open how 'vote' chooses; lead it to a policy",
    ),
    (
        {"{kind: parallel, graph: solver, runs: 3, strategy: majority}": '{kind: python, function: "a:b"}'}
        | {ROUTES: "vote"},
        r"f:8:3: key 'nodes.vote': a vote node needs attempts; lead a parallel node to it",
    ),
    (
        {ROUTES: "{majority: extra, failed: end}\n  extra: vote"}
        | {"  vote: {kind: vote}\n": '  vote: {kind: vote}\n  extra: {kind: python, function: "a:b"}\n'},
        r"f:8:3: key 'nodes.vote': it follows 'extra', a python node, so it must say how it chooses; add 'strategy'",
    ),
    ({"strategy: majority": "strategy: plurality"}, r"f:7:\d+: .*'majority', 'weighted_majority' or 'best_of_n'"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_wrong_with_a_vote(changes: dict[str, str], message: str) -> None:
    text = ballot(runs=3)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(UsageError, match=message):
        parse_spec(text, source="f")
