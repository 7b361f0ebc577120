"""Rollouts of every graph with scripted engines: steps, tokens, masks, citations, failures, seeds."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from agents.engines.base import GenerateRequest, Generation
from agents.policy import Policy
from graphs.events import AnswerGiven
from graphs.harness import step_seed
from graphs.loading import load_runner
from graphs.state import Example, RolloutInputs
from store.errors import UsageError
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus, StepKind, StepRecord
from tests.graphs.small import small_runner
from tests.harness_kit import NOTES, QWEN_TEMPLATE, ListSearcher, hit, scripted_policy, text_policy

QUESTION = RolloutInputs(question="where does mira work?")
ANSWER = "[2] so <answer>oslo</answer>"


async def solve(
    policy: Policy, *, graph: str = "solver", searcher: Any = None, inputs: RolloutInputs = QUESTION, **run: Any
) -> RolloutRecord:
    make = small_runner if policy.profile.prompt_variant else load_runner
    runner = make(graph, policy=policy, searcher=searcher or ListSearcher(NOTES))
    return await runner.run(inputs, **{"key": "r", "purpose": Purpose.TRAIN, "seed": 1, **run})


def said(policy: Policy, record: RolloutRecord, segment: int = 0) -> str:
    return policy.decode(record.segments[segment].token_ids)


def sampled_text(policy: Policy, record: RolloutRecord, segment: int = 0) -> str:
    part = record.segments[segment]
    return policy.decode([t for t, bit in zip(part.token_ids, part.loss_mask, strict=True) if bit])


async def test_solver_searches_answers_and_cites() -> None:
    searcher = ListSearcher(NOTES)
    policy = text_policy("<search>mira</search>", "<search>falcon</search>", ANSWER + "<confidence>9")
    record = await solve(policy, searcher=searcher)
    assert record.status is RolloutStatus.FINISHED and record.failure is None
    assert (record.answer, record.confidence, record.citations) == ("oslo", 0.09, [12])
    assert [step.kind for step in record.steps] == [StepKind.SEARCH, StepKind.SEARCH, StepKind.ANSWER]
    assert [step.query for step in record.steps] == ["mira", "falcon", None]
    assert [step.hits for step in record.steps] == [[11], [11, 12], []]
    assert searcher.queries == ["mira", "falcon"]
    assert said(policy, record) == (
        "<|user|>answer: where does mira work?<|end|><|assistant|><search>mira</search><|end|>"
        "<|tool|>[1] mira leads falcon<|end|><|assistant|><search>falcon</search><|end|>"
        "<|tool|>[1] mira leads falcon\n[2] falcon works in oslo<|end|><|assistant|>" + ANSWER + "<confidence>9<|end|>"
    )
    assert (
        sampled_text(policy, record)
        == "<search>mira</search><|end|><search>falcon</search><|end|>" + ANSWER + "<confidence>9<|end|>"
    )
    assert (
        record.sampled_tokens == sum(record.segments[0].loss_mask) == sum(step.sampled_tokens for step in record.steps)
    )
    assert record.provenance.graph == "solver" and record.provenance.policy_version == 3
    assert set(record.provenance.prompt_sha256) == {
        "solver",
        "search_result",
        "correction",
        "refused_call",
        "compressor",
        "last_call",
    }


async def test_engine_saw_exactly_the_recorded_tokens_and_sessions_are_released() -> None:
    policy = text_policy("<search>mira</search>", "<search>lima</search>", ANSWER)
    record = await solve(policy)
    engine: Any = policy.engine
    for request, step in zip(engine.requests, record.steps, strict=True):
        ids = record.segments[0].token_ids
        assert list(request.prompt_ids) == ids[: step.prompt_tokens]
        assert request.sampling.stop_ids == policy.stop_ids and request.sampling.max_tokens == 96
    assert {request.session for request in engine.requests} == set(engine.released) == {"r/1"}


async def test_full_prompts_run_on_a_qwen_template() -> None:
    policy = text_policy("<think>hm</think><search>orion</search>", ANSWER, variant="", template=QWEN_TEMPLATE)
    record = await solve(policy)
    text = said(policy, record)
    assert record.status is RolloutStatus.FINISHED and record.steps[0].hits == [13, 14]
    assert "You have 200 turns." in text and "where does mira work?" in text
    assert (
        "<tool_response>\n[1] Note 13\nbram leads orion\n\n[2] Note 14\norion   works in\nlima\n</tool_response>"
        in text
    )


async def test_long_hits_are_collapsed_and_cut() -> None:
    policy = text_policy("<search>word</search>", ANSWER)
    record = await solve(policy, searcher=ListSearcher([hit(1, "word  \n " * 200)]))
    shown = said(policy, record).split("<|tool|>[1] ")[1].split("<|end|>")[0]
    assert shown == " ".join(["word"] * 48) and len(shown) <= 240


async def test_step_budget_last_call_and_unfinished() -> None:
    searcher = ListSearcher(NOTES)
    policy = scripted_policy(lambda request: "<search>nothing</search>")
    record = await solve(policy, searcher=searcher)
    assert record.status is RolloutStatus.UNFINISHED and record.failure is not None
    assert record.failure.kind is FailureKind.BUDGET and "no answer after 6 turns" in record.failure.reason
    assert len(record.steps) == 6 and len(searcher.queries) == 5 == record.searches
    assert said(policy, record, -1).count("no results\nanswer now<|end|>") == 1
    assert said(policy, record, -1).endswith("answer now<|end|><|assistant|><search>nothing</search><|end|>")


async def test_malformed_turn_gets_a_correctable_message_and_counts() -> None:
    policy = text_policy("hello there", "<search>mira</search>", "<answer>oslo</answer>")
    record = await solve(policy)
    assert [step.kind for step in record.steps] == [StepKind.MALFORMED, StepKind.SEARCH, StepKind.ANSWER]
    assert "hello there<|end|><|tool|>write a search or an answer<|end|>" in said(policy, record)
    never = await solve(scripted_policy(lambda request: "hm"))
    assert never.status is RolloutStatus.UNFINISHED and never.failure is not None and len(never.steps) == 6
    assert never.failure.kind is FailureKind.PARSE and "no <search> or <answer>" in never.failure.reason


async def test_turn_cut_by_length_still_counts_and_its_end_is_not_trained() -> None:
    policy = text_policy("<search>" + "x" * 200, ANSWER)
    record = await solve(policy)
    end = policy.stop_ids[0]
    cut = record.segments[0]
    at = record.steps[0].prompt_tokens + record.steps[0].sampled_tokens
    assert record.steps[0].sampled_tokens == 96
    assert (cut.token_ids[at], cut.loss_mask[at], cut.loss_mask[at - 1]) == (end, 0, 1)


async def test_compression_cuts_segments_and_keeps_numbers() -> None:
    def respond(request: GenerateRequest) -> str:
        text = policy.decode(list(request.prompt_ids))
        if text.endswith("summarise<|end|><|assistant|>"):
            return "<summary>[1] mira leads falcon</summary>"
        return "[1] <answer>oslo</answer>" if "so far" in text else "<search>mira leads falcon works orion</search>"

    policy = scripted_policy(respond)
    squeeze = [
        {"kind": "step_budget", "steps": 6},
        {"kind": "compression", "trigger_tokens": 220, "summary_tokens": 64},
    ]
    runner = small_runner("solver", policy=policy, plugins=squeeze)
    record = await runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=1)
    assert [step.kind for step in record.steps] == ["search", "search", "compress", "answer"]
    first, second, third = record.segments
    assert [s.compression for s in record.segments] == [False, True, False]
    assert second.token_ids[: len(first.token_ids)] == first.token_ids
    assert sampled_text(policy, record, 0) == "<search>mira leads falcon works orion</search><|end|>" * 2
    assert sampled_text(policy, record, 1) == "<summary>[1] mira leads falcon</summary><|end|>"
    assert policy.decode(third.token_ids).startswith(
        "<|user|>answer: where does mira work? so far: [1] mira leads falcon<|end|><|assistant|>[1] "
    )
    assert record.citations == [11]
    engine: Any = policy.engine
    assert engine.released == ["r/1", "r/2"]
    assert record.sampled_tokens == sum(sum(s.loss_mask) for s in record.segments)


async def test_full_context_ends_the_rollout_as_the_policys_fault() -> None:
    record = await solve(scripted_policy(lambda request: "<search>mira falcon</search>", context_tokens=60))
    assert record.status is RolloutStatus.UNFINISHED and record.failure is not None
    assert record.failure.kind is FailureKind.BUDGET and "context of 60 tokens is full" in record.failure.reason
    assert all(len(segment.token_ids) <= 60 for segment in record.segments)


async def test_token_budget_ends_the_rollout() -> None:
    policy = scripted_policy(lambda request: "<search>mira</search>")
    runner = small_runner("solver", policy=policy, plugins=[{"kind": "token_budget", "tokens": 50}])
    record = await runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=0)
    per_turn = record.steps[0].sampled_tokens
    assert record.status is RolloutStatus.UNFINISHED and record.failure is not None
    assert record.failure.kind is FailureKind.BUDGET
    assert (len(record.steps) - 1) * per_turn < 50 <= record.sampled_tokens


@pytest.mark.parametrize("where", ["engine", "tool"])
async def test_environment_errors_fail_one_rollout_and_leave_the_others_alone(where: str) -> None:
    def respond(request: GenerateRequest) -> str:
        text = policy.decode(list(request.prompt_ids))
        if "bad" in text and where == "engine" and "<|tool|>" in text:
            raise MemoryError("no room")
        return ANSWER if "<|tool|>" in text else f"<search>{'bad' if 'bad' in text else 'mira'}</search>"

    class Searcher(ListSearcher):
        async def search(self, query: str, k: int) -> list:
            if "bad" in query and where == "tool":
                raise OSError("index gone")
            return await super().search(query, k)

    policy = scripted_policy(respond)
    runner = small_runner("solver", policy=policy, searcher=Searcher(NOTES))
    inputs = [RolloutInputs(question="bad" if index == 1 else "good") for index in range(4)]
    records = await asyncio.gather(
        *(runner.run(item, key=f"r{i}", purpose=Purpose.TRAIN, seed=i) for i, item in enumerate(inputs))
    )
    assert [record.status for record in records] == ["finished", "failed", "finished", "finished"]
    bad = records[1]
    assert bad.failure is not None and bad.failure.kind == where and bad.answer == ""
    assert ("MemoryError: no room" if where == "engine" else "OSError: index gone") in bad.failure.reason
    assert "Traceback" in bad.failure.traceback
    assert sampled_text(policy, bad) == "<search>bad</search><|end|>" and len(bad.steps) == 1
    engine: Any = policy.engine
    assert sorted(engine.released) == ["r0/1", "r1/1", "r2/1", "r3/1"]


@pytest.mark.parametrize("who", ["emit", "trace"])
async def test_a_listener_that_raises_when_all_is_over_costs_no_record(
    who: str, caplog: pytest.LogCaptureFixture
) -> None:
    def listen(heard: object) -> None:
        if isinstance(heard, AnswerGiven | RolloutRecord):
            raise OSError("disk full")

    runner = small_runner("solver", policy=scripted_policy(lambda _: ANSWER))
    runner.trace = listen if who == "trace" else None
    emit = listen if who == "emit" else None
    record = await runner.run(QUESTION, key="r", purpose=Purpose.ASK, seed=0, emit=emit)
    assert record.status is RolloutStatus.FINISHED and len(record.steps) == 1
    (logged,) = caplog.records
    assert logged.exc_info is not None and str(logged.exc_info[1]) == "disk full"


async def test_a_listener_that_raises_on_the_way_fails_the_rollout() -> None:
    def listen(heard: object) -> None:
        raise OSError("disk full")

    runner = small_runner("solver", policy=scripted_policy(lambda _: ANSWER))
    record = await runner.run(QUESTION, key="r", purpose=Purpose.ASK, seed=0, emit=listen)
    assert record.failure is not None and "disk full" in record.failure.reason


async def test_wall_clock_limit_is_a_timeout_of_the_environment() -> None:
    async def hang(request: GenerateRequest) -> str:
        await asyncio.sleep(30)
        return ANSWER

    runner = small_runner("solver", policy=scripted_policy(hang), limits={"seconds": 0.05})
    record = await runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=0)
    assert record.status is RolloutStatus.FAILED and record.failure is not None
    assert record.failure.kind is FailureKind.TIMEOUT and record.seconds < 5


async def test_cancelling_one_releases_it_and_leaves_no_task_behind() -> None:
    gate = asyncio.Event()

    async def respond(request: GenerateRequest) -> str:
        if request.session.startswith("slow"):
            await gate.wait()
        return ANSWER

    policy = scripted_policy(respond)
    runner = small_runner("solver", policy=policy)
    before = asyncio.all_tasks()
    slow = asyncio.create_task(runner.run(QUESTION, key="slow", purpose=Purpose.TRAIN, seed=0))
    quick = asyncio.create_task(runner.run(QUESTION, key="quick", purpose=Purpose.TRAIN, seed=0))
    assert (await quick).status is RolloutStatus.FINISHED
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    await asyncio.sleep(0)
    engine: Any = policy.engine
    assert sorted(engine.released) == ["quick/1", "slow/1"]
    assert asyncio.all_tasks() <= before


def timeless(record: RolloutRecord) -> RolloutRecord:
    def still(step: StepRecord) -> StepRecord:
        calls = [dataclasses.replace(call, seconds=0.0) for call in step.calls]
        return dataclasses.replace(step, policy_seconds=0.0, tool_seconds=0.0, calls=calls)

    steps = [still(step) for step in record.steps]
    return dataclasses.replace(
        record, seconds=0.0, queued=0.0, began=0.0, steps=steps, attempts=[timeless(a) for a in record.attempts]
    )


@pytest.mark.parametrize("graph", ["solver", "value_guided_search", "aggregator"])
async def test_same_seed_same_record_and_every_step_has_its_own_seed(graph: str) -> None:
    def policy() -> Policy:
        def respond(request: GenerateRequest) -> Any:
            words = ["<search>mira</search>", "<search>orion</search>", ANSWER]
            ids = [*made.encode(words[request.sampling.seed % 3]), made.stop_ids[0]]
            return Generation(ids, [-(request.sampling.seed % 97) / 97] * len(ids), "stop")

        made = scripted_policy(respond)
        return made

    first, again = await solve(policy(), graph=graph, seed=5), await solve(policy(), graph=graph, seed=5)
    assert timeless(first) == timeless(again)
    seeds = {step_seed(seed, step, k) for seed in range(50) for step in range(10) for k in range(3)}
    assert len(seeds) == 1_500 and all(0 <= seed < 2**63 for seed in seeds)


async def test_temperature_of_the_call_wins() -> None:
    policy = text_policy(ANSWER)
    record = await solve(policy, temperature=0.25)
    engine: Any = policy.engine
    assert record.temperature == engine.requests[0].sampling.temperature == 0.25


async def test_tiny_generator_seeds_take_the_first_numbers() -> None:
    policy = text_policy(
        "<search>falcon</search>", "[3] <question>who leads falcon?</question><answer>mira, bram</answer>"
    )
    record = await solve(policy, graph="qa_generator", inputs=RolloutInputs(seeds=[NOTES[2], NOTES[0]]))
    assert said(policy, record).startswith(
        "<|user|>ask about: [1] bram leads orion\n[2] mira leads falcon<|end|><|assistant|>"
    )
    assert "<|tool|>[2] mira leads falcon\n[3] falcon works in oslo<|end|>" in said(policy, record)
    (candidate,) = record.candidates
    assert (candidate.question, candidate.answer, candidate.nuggets) == (
        "who leads falcon?",
        "mira, bram",
        ["mira", "bram"],
    )
    assert candidate.problem is None and candidate.citations == [13, 11, 12]
    assert record.status is RolloutStatus.FINISHED and record.role == "generator"


async def test_full_generator_refuses_uncited_candidates_and_keeps_the_text() -> None:
    reply = (
        "<candidate><question>Who?</question><answer>mira</answer><nugget>mira</nugget>[1]</candidate>"
        "<candidate><question>What?</question><answer>x</answer>[9]</candidate><candidate><answer>y</answer></candidate>"
    )
    inputs = RolloutInputs(seeds=[NOTES[0]], examples=[Example("Where?", "oslo")])
    policy = text_policy(reply, variant="", template=QWEN_TEMPLATE)
    record = await solve(policy, graph="qa_generator", inputs=inputs)
    assert [c.problem for c in record.candidates] == [
        None,
        "cites no passage that was shown",
        "no <question> in the candidate",
    ]
    assert record.candidates[0].citations == [11] and "<answer>y" in record.candidates[2].text
    assert "<question>Where?</question>" in said(policy, record) and "[1] Note 11\nmira leads falcon" in said(
        policy, record
    )


async def test_misuse_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="graph 'solver' searches; give it a corpus"):
        load_runner("solver", policy=text_policy())
    with pytest.raises(UsageError, match="graph 'dedup' has no role"):
        load_runner("dedup", policy=text_policy())
