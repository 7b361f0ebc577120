"""Attempts side by side: what the aggregator sees of them, failures, limits, events, cancellation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.engines.base import GenerateRequest
from agents.policy import Policy
from graphs.events import AttemptFinished, Event
from graphs.loading import load_runner
from graphs.state import RolloutInputs
from store.errors import UsageError
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus
from tests.graphs.small import small_runner
from tests.harness_kit import NOTES, QWEN_TEMPLATE, ListSearcher, scripted_policy

QUESTION = RolloutInputs(question="where does mira work?")
ANSWER = "[2] so <answer>oslo</answer>"
AGGREGATOR = {"kind": "parallel", "graph": "solver", "runs": 5}


def attempts_then_answer(*, broken: tuple[int, ...] = (), mute: tuple[int, ...] = (), variant: str = "tiny") -> Policy:
    """Attempts answer oslo, but for `broken` ones (the engine fails) and `mute` ones; the aggregator searches once."""

    def respond(request: GenerateRequest) -> str:
        if any(f"solver-{number}/" in request.session for number in broken):
            raise RuntimeError("one engine down")
        if any(f"solver-{number}/" in request.session for number in mute):
            return "hm"
        if "solver" in request.session:
            return ANSWER
        text = policy.decode(list(request.prompt_ids))
        return "<answer>combined</answer>" if "[1]" in text else "<search>mira</search>"

    template = {} if variant else {"template": QWEN_TEMPLATE}
    policy = scripted_policy(respond, variant=variant, **template)
    return policy


async def aggregate(policy: Policy, *, emit: Any = None, **attempts: Any) -> RolloutRecord:
    runner = small_runner("aggregator", policy=policy, nodes={"attempts": {**AGGREGATOR, **attempts}})
    return await runner.run(QUESTION, key="r", purpose=Purpose.EVALUATE, seed=1, emit=emit)


async def test_the_aggregator_sees_final_answers_only_and_may_search() -> None:
    policy = attempts_then_answer(broken=(1,))
    record = await aggregate(policy)
    assert record.status is RolloutStatus.FINISHED and record.answer == "combined" and record.role == "aggregator"
    assert [a.status for a in record.attempts] == ["finished", "failed", "finished", "finished", "finished"]
    assert [a.key for a in record.attempts][:2] == ["r/solver-0", "r/solver-1"]
    said = policy.decode(record.segments[0].token_ids)
    assert said.startswith("<|user|>combine: where does mira work?\n- oslo\n- oslo\n- oslo\n- oslo<|end|>")
    assert [step.kind for step in record.steps] == ["search", "answer"] and record.trainable


async def test_the_full_prompt_says_how_many_attempts_there_were_and_shows_explanations() -> None:
    for broken, line in (((1, 4), "3 of 5 attempts came to an answer."), ((), "")):
        policy = attempts_then_answer(broken=broken, variant="")
        record = await aggregate(policy)
        said = policy.decode(record.segments[0].token_ids)
        shown = said.split("## How the attempts ended")[1]
        assert shown.count("### Attempt") == 5 - len(broken) == shown.count("[2] so\n\nAnswer: oslo")
        assert (line in shown) if line else ("attempts came" not in shown)


@pytest.mark.parametrize(
    ("broken", "mute", "least", "status", "kind", "reason"),
    [
        ((0, 1, 2, 3, 4), (), 1, "failed", "engine", "none of 5 attempts answered: engine scripted-test: RuntimeError"),
        ((), (0, 1, 2, 3, 4), 1, "unfinished", "parse", "none of 5 attempts answered: no answer after 6 turns"),
        ((0, 1, 2), (3, 4), 1, "unfinished", "parse", "none of 5 attempts answered"),
        ((0, 1, 2), (), 3, "failed", "engine", "only 2 of 5 attempts answered, 3 are needed: engine"),
        ((0, 1), (2,), 3, "unfinished", "parse", "only 2 of 5 attempts answered, 3 are needed: no answer"),
        ((0, 1), (), 3, "finished", None, ""),
    ],
)
async def test_too_few_answers(broken: Any, mute: Any, least: int, status: str, kind: str | None, reason: str) -> None:
    """The environment's fault only where it broke every attempt that gave no answer."""
    record = await aggregate(attempts_then_answer(broken=broken, mute=mute), min_finished=least)
    assert record.status == status and len(record.attempts) == 5
    assert (record.failure.kind if record.failure else None) == kind
    assert reason in (record.failure.reason if record.failure else "")
    assert record.answer == ("combined" if status == "finished" else "")


async def test_limited_concurrency_changes_neither_order_nor_seeds() -> None:
    under_way, most = 0, 0

    async def respond(request: GenerateRequest) -> str:
        nonlocal under_way, most
        under_way, most = under_way + 1, max(most, under_way + 1)
        for _ in range(request.sampling.seed % 5 + 1):  # attempts end in another order than they began
            await asyncio.sleep(0)
        under_way -= 1
        return f"<answer>{request.sampling.seed}</answer>"

    answers: list[list[str]] = []
    for concurrency, expected in ((2, 2), (None, 5), (1, 1)):
        most = 0
        record = await aggregate(scripted_policy(respond), concurrency=concurrency)
        assert most == expected
        answers.append([attempt.answer for attempt in record.attempts])
    assert answers[0] == answers[1] == answers[2] and len(set(answers[0])) == 5


async def test_an_attempts_wait_for_a_place_is_not_its_own_time() -> None:
    async def respond(request: GenerateRequest) -> str:
        await asyncio.sleep(0.05)
        return ANSWER

    waits: dict[int | None, list[float]] = {}
    for concurrency in (1, 2, None):
        record = await aggregate(scripted_policy(respond), concurrency=concurrency, runs=3)
        attempts = record.attempts
        waits[concurrency] = [attempt.queued for attempt in attempts]
        assert all(attempt.began >= attempt.queued for attempt in attempts)
        assert max(attempt.began + attempt.seconds for attempt in attempts) < record.seconds
    assert waits[None] == [0.0, 0.0, 0.0] == [waits[2][0], waits[2][1], waits[1][0]]
    assert waits[2][2] > 0.045 and waits[1][1] > 0.045 and waits[1][2] > 0.09


async def test_progress_is_told_and_attempts_speak_under_their_own_keys() -> None:
    heard: list[Event] = []
    await aggregate(attempts_then_answer(broken=(1,)), emit=heard.append)
    progress = [event for event in heard if isinstance(event, AttemptFinished)]
    assert [(event.finished, event.total, event.rollout) for event in progress] == [(n, 5, "r") for n in range(1, 6)]
    ends = {event.attempt: (event.answer, event.failure.kind if event.failure else None) for event in progress}
    assert ends["r/solver-1"] == ("", FailureKind.ENGINE) and ends["r/solver-0"] == ("oslo", None)
    assert {event.rollout for event in heard} == {"r", *(f"r/solver-{number}" for number in range(5))}


async def test_cancelling_leaves_no_attempt_behind() -> None:
    started = asyncio.Event()

    async def respond(request: GenerateRequest) -> str:
        if "solver-3" in request.session:
            started.set()
        if "solver-0" not in request.session:
            await asyncio.sleep(60)
        return ANSWER

    policy = scripted_policy(respond)
    before = asyncio.all_tasks()
    task = asyncio.create_task(aggregate(policy, concurrency=4))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() <= before
    engine: Any = policy.engine
    begun = {request.session for request in engine.requests}
    assert set(engine.released) == begun and "r/solver-0/1" in begun


OWN = """
description: Two kinds of attempts, one after the other.
role: aggregator
start: brief
nodes:
  brief: {kind: parallel, graph: solver, runs: 2, strategy: majority, changes: {tools: {search: {k: 1}}}}
  wide: {kind: parallel, graph: solver, runs: 2, strategy: majority}
  vote: {kind: vote}
edges:
  brief: {majority: wide, failed: end}
  wide: {majority: vote, failed: end}
  vote: end
"""


async def test_changes_reach_the_graph_that_is_run_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    policy = scripted_policy(lambda request: ANSWER)
    runner = load_runner("own", policy=policy, searcher=ListSearcher(NOTES), graph_path=[tmp_path])
    found = {key: inner.spec.tools.search.k for key, inner in runner.harness.runners.items()}
    assert sorted(found.values()) == [1, 3] and found["solver"] == 3
    record = await runner.run(QUESTION, key="r", purpose=Purpose.EVALUATE, seed=0)
    plain = load_runner("solver", policy=policy, searcher=ListSearcher(NOTES)).provenance.graph_sha256
    assert [a.provenance.graph_sha256 == plain for a in record.attempts] == [False, False, True, True]
    assert record.answer == "oslo"


async def test_attempts_of_several_parallel_nodes_add_up(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    seeds: dict[str, int] = {}

    async def respond(request: GenerateRequest) -> str:
        seeds[request.session.split("/")[1]] = request.sampling.seed
        await asyncio.sleep(0.02)
        return f"<answer>{'lima' if 'solver-2-' in request.session else 'oslo'}</answer>"

    policy = scripted_policy(respond)
    runner = load_runner("own", policy=policy, searcher=ListSearcher(NOTES), graph_path=[tmp_path])
    record = await runner.run(QUESTION, key="r", purpose=Purpose.EVALUATE, seed=0)
    assert [a.key for a in record.attempts] == ["r/solver-0", "r/solver-1", "r/solver-2-0", "r/solver-2-1"]
    assert [a.answer for a in record.attempts] == ["oslo", "oslo", "lima", "lima"]
    assert record.steps[0].text.startswith("majority: 4 of 4 attempts answered")
    # The same graph, and yet no attempt repeats another.
    assert seeds.keys() == {a.key.split("/")[1] for a in record.attempts} and len(set(seeds.values())) == 4


async def test_a_second_parallel_node_may_make_up_for_the_first(tmp_path: Path) -> None:
    own = OWN.replace("failed: end", "failed: wide", 1).replace("runs: 2", "runs: 2, min_finished: 2", 1)
    (tmp_path / "own.yaml").write_text(own)
    policy = scripted_policy(lambda request: "hm" if "solver-1/" in request.session else ANSWER)
    runner = load_runner("own", policy=policy, searcher=ListSearcher(NOTES), graph_path=[tmp_path])
    record = await runner.run(QUESTION, key="r", purpose=Purpose.EVALUATE, seed=0)
    assert record.failure is None and record.answer == "oslo"
    assert record.steps[0].text.startswith("majority: 3 of 4 attempts answered")


def test_a_wrong_change_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("{k: 1}", "{kk: 1}"))
    with pytest.raises(UsageError, match=r"tools\.search\.kk.*unknown key"):
        load_runner("own", policy=scripted_policy(lambda r: ANSWER), searcher=ListSearcher([]), graph_path=[tmp_path])


def test_more_answers_wanted_than_attempts_made_is_refused() -> None:
    with pytest.raises(UsageError, match="min_finished is 6, but there are 5 runs; raise 'runs'"):
        small_runner("aggregator", policy=attempts_then_answer(), nodes={"attempts": {**AGGREGATOR, "min_finished": 6}})
