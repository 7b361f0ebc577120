"""The vLLM engine and the graphs against real vLLM servers: tokens, log-probs, seeds, streams; then servers die.

The tests run in order: the last ones kill the servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import httpx
import numpy as np
import pytest

from agents.engines.base import GenerateRequest, SamplingParams, joined
from agents.engines.router import TokenRouter
from agents.policy import Policy
from graphs.harness import step_seed
from graphs.loading import load_runner
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from karl.health import checks
from karl.policies import open_policy
from karl.settings import Settings
from rl_backend.config import TrainConfig
from rl_backend.rollouts import TrainingSegment
from rl_backend.verl_adapter import Trainer
from store import queries
from store.models import Rollout
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus, SegmentRecord, StepKind
from tests.vllm.kit import Company, Server

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(900)]

MEAN_GAP = 1e-3  # nats a token between engine and trainer, both fp32
Pair = tuple[Server, Server]
Say = Callable[[str], None]


def settings_of(*servers: Server) -> Settings:
    return Settings.model_validate({"engine": "vllm", "vllm_url": [server.url for server in servers]})


def policy_of(served: Path, *servers: Server, said: list[str] | None = None) -> Policy:
    return open_policy(served, settings=settings_of(*servers), say=None if said is None else said.append)


def router_of(policy: Policy) -> TokenRouter:
    assert isinstance(policy.engine, TokenRouter)
    return policy.engine


def solver(policy: Policy, company: Company) -> GraphRunner:
    return load_runner("solver", policy=policy, searcher=company.searcher)


async def solve(
    runner: GraphRunner, company: Company, count: int, *, seed: int = 0, temperature: float = 1.0
) -> list[RolloutRecord]:
    rollouts = [
        runner.run(
            RolloutInputs(question=company.asked[n % len(company.asked)][0]),
            key=f"real/{seed}/{n}",
            purpose=Purpose.TRAIN,
            seed=seed + n,
            temperature=temperature,
        )
        for n in range(count)
    ]
    return await asyncio.gather(*rollouts)


def segments_of(records: list[RolloutRecord]) -> list[SegmentRecord]:
    return [segment for record in records for segment in record.segments]


def trainer_gaps(segments: list[SegmentRecord], *, base: Path) -> np.ndarray:
    """|recorded - trainer's| in nats, of every sampled token."""
    rows = [
        TrainingSegment(np.array(s.token_ids, np.int32), np.array(s.loss_mask, np.uint8), np.array(s.logprobs, "f4"))
        for s in segments
    ]
    trainer = Trainer(base, config=TrainConfig(threads=1), total_steps=1)
    try:
        fresh = trainer.logprobs(rows)
    finally:
        trainer.close()
    gaps = [np.abs(f - row.logprobs)[row.loss_mask == 1] for f, row in zip(fresh, rows, strict=True)]
    return np.concatenate(gaps)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
async def test_rollouts_have_the_trainers_log_probs(
    pair: Pair, served: Path, company: Company, say: Say, temperature: float
) -> None:
    policy = policy_of(served, *pair)
    records = await solve(solver(policy, company), company, 48, temperature=temperature)
    await policy.engine.aclose()
    assert not [record.failure for record in records if record.status is RolloutStatus.FAILED]
    answered = sum(record.status is RolloutStatus.FINISHED for record in records)
    segments = segments_of(records)
    gaps = trainer_gaps(segments, base=served)
    say(
        f"temperature {temperature}: {len(records)} rollouts, {answered} answered, {len(gaps)} sampled tokens: engine "
        f"and trainer log-probs differ by {gaps.mean():.2e} nats in the mean, {gaps.max():.2e} at most (fp32)"
    )
    assert answered >= 40 and len(gaps) == sum(record.sampled_tokens for record in records) > 1_000
    assert gaps.mean() < MEAN_GAP


async def test_every_recorded_turn_is_what_the_server_samples_from_the_recorded_tokens(
    pair: Pair, served: Path, company: Company
) -> None:
    policy = policy_of(served, pair[0])
    runner = solver(policy, company)
    turns = 0
    for record in await solve(runner, company, 8):
        ids, mask = record.segments[0].token_ids, record.segments[0].loss_mask
        for index, step in enumerate(takewhile(lambda step: step.kind is not StepKind.COMPRESS, record.steps)):
            end = step.prompt_tokens + step.sampled_tokens
            assert mask[step.prompt_tokens : end] == [1] * step.sampled_tokens
            sampling = SamplingParams(
                max_tokens=runner.spec.sampling.max_tokens,
                stop_ids=policy.stop_ids,
                seed=step_seed(record.seed, index),
            )
            again = await policy.engine.generate(GenerateRequest(ids[: step.prompt_tokens], sampling))
            assert again.token_ids == ids[step.prompt_tokens : end]
            turns += 1
    assert turns >= 16
    await policy.engine.aclose()


def test_the_server_echoes_the_prompt_that_it_read(pair: Pair, served: Path) -> None:
    """So that the engine can refuse an answer to another prompt."""
    ids = [7, 300, 12, 12, 5]
    body = {"model": str(served), "prompt": ids, "max_tokens": 2, "logprobs": 0, "return_token_ids": True}
    choice = httpx.post(f"{pair[0].url}/completions", json=body, timeout=60.0).json()["choices"][0]
    assert choice["prompt_token_ids"] == ids
    assert len(choice["token_ids"]) == len(choice["logprobs"]["token_logprobs"]) == 2


async def test_a_stop_id_is_sampled_and_kept_and_length_is_told(pair: Pair, served: Path) -> None:
    policy = policy_of(served, pair[0])
    prompt = policy.encode("who leads the team?")
    greedy = await policy.engine.generate(GenerateRequest(prompt, SamplingParams(max_tokens=12, temperature=0.0)))
    stop = greedy.token_ids[5]
    first = greedy.token_ids.index(stop)
    cut = await policy.engine.generate(
        GenerateRequest(prompt, SamplingParams(max_tokens=12, temperature=0.0, stop_ids=(stop,)))
    )
    assert (cut.token_ids, cut.finish_reason) == (greedy.token_ids[: first + 1], "stop")
    short = await policy.engine.generate(GenerateRequest(prompt, SamplingParams(max_tokens=3, temperature=0.0)))
    assert (short.token_ids, short.finish_reason) == (greedy.token_ids[:3], "length")
    assert short.logprobs == pytest.approx(greedy.logprobs[:3], abs=1e-4)
    await policy.engine.aclose()


async def test_seeds_reproduce_on_either_server_and_the_models_own_sampling_defaults_do_not_reach_it(
    pair: Pair, served: Path, company: Company
) -> None:
    engines = [policy_of(served, server) for server in pair]
    prompt = engines[0].encode("the note of mira says")

    async def draw(policy: Policy, seed: int) -> tuple[int, ...]:
        sampling = SamplingParams(max_tokens=16, seed=seed)
        return tuple((await policy.engine.generate(GenerateRequest(prompt, sampling))).token_ids)

    drawn = [await draw(engines[0], seed) for seed in range(12)]
    assert drawn == [await draw(engines[1], seed) for seed in range(12)]
    # The served generation_config.json says top_k 1: with it, all of them would be the same.
    assert len(set(drawn)) > 1
    first, second = [segments_of([(await solve(solver(policy, company), company, 1, seed=5))[0]]) for policy in engines]
    assert [s.token_ids for s in first] == [s.token_ids for s in second]
    assert np.allclose(first[0].logprobs, second[0].logprobs, atol=1e-4)
    for policy in engines:
        await policy.engine.aclose()


async def test_a_stream_is_the_generation(pair: Pair, served: Path) -> None:
    policy = policy_of(served, *pair)
    request = GenerateRequest(policy.encode("who is it?"), SamplingParams(max_tokens=24, seed=4), "s")
    whole = await policy.engine.generate(request)
    deltas = [delta async for delta in router_of(policy).stream(request)]
    assert joined(deltas).token_ids == whole.token_ids and len(deltas) > 1
    assert joined(deltas).logprobs == pytest.approx(whole.logprobs, abs=1e-4)
    await policy.engine.aclose()


def test_doctor_shows_the_load_of_real_servers(pair: Pair, served: Path) -> None:
    found = [check for check in checks(settings_of(*pair)) if check.name == "vLLM endpoint"]
    assert [check.level for check in found] == ["ok", "ok"]
    for check, server in zip(found, pair, strict=True):
        assert check.found == f"{server.url} serves {served} (1024 tokens); 0 requests running, 0 waiting"


async def killed_under_way(server: Server, router: TokenRouter, task: asyncio.Task[None], *, requests: int) -> int:
    """SIGKILL once the router has made `requests` requests and some run on the server; how many of them did."""

    def busy() -> int:
        stats = router.stats()
        return stats[0].in_flight if sum(one.requests for one in stats) >= requests else 0

    while busy() < 4:
        if task.done():
            task.result()
            raise AssertionError("the rollouts ended before the server was to die")
        await asyncio.sleep(0.002)
    lost = busy()
    server.kill()
    return lost


def rows(company: Company, stage: str) -> list[Rollout]:
    with company.store.session() as session:
        keys = sorted(queries.rollout_keys(session, company.run_id, prefix=f"{stage}/"))
        return [session.get_one(Rollout, queries.rollout_id_by_key(session, key)) for key in keys]


async def test_one_server_of_two_dies_in_mid_rollout_and_the_other_does_its_work(
    pair: Pair, served: Path, company: Company, say: Say
) -> None:
    said: list[str] = []
    policy = policy_of(served, *pair, said=said)
    router, units = router_of(policy), company.units(96, stage="two")
    task = asyncio.create_task(company.collect(units, solver(policy, company), concurrency=32))
    lost = await killed_under_way(pair[0], router, task, requests=60)
    await task
    dead, alive = router.stats()
    made = rows(company, "two")
    say(f"killed with {lost} requests under way; {dead.failures} failed there, {alive.requests} answered elsewhere")
    assert len(made) == 96 and not [row.failure_reason for row in made if row.status is RolloutStatus.FAILED]
    # Not `lost` of them: an answer that the socket held at the kill is an answer.
    assert dead.failures > 0 and dead.left_out and alive.failures == 0
    assert len(said) == 1 and said[0].startswith(f"{pair[0].url} is left out")
    await policy.engine.aclose()


async def test_a_lone_server_dies_rollouts_fail_as_rows_and_after_its_restart_only_they_are_made_again(
    pair: Pair, served: Path, company: Company, say: Say
) -> None:
    server = pair[1]
    policy = policy_of(served, server)
    router, units = router_of(policy), company.units(40, stage="one")
    task = asyncio.create_task(company.collect(units, solver(policy, company), concurrency=16))
    await killed_under_way(server, router, task, requests=40)
    await task
    broken = {row.key: row for row in rows(company, "one") if row.status is RolloutStatus.FAILED}
    whole = {row.key: row.id for row in rows(company, "one") if row.status is not RolloutStatus.FAILED}
    assert len(broken) + len(whole) == 40 and len(broken) >= 16
    assert {row.failure_kind for row in broken.values()} == {FailureKind.ENGINE}
    assert {row.reward for row in broken.values()} == {None}
    assert all(f"endpoint down: {server.url}" in row.failure_reason for row in broken.values())
    server.start()
    await asyncio.to_thread(server.wait)
    before = router.stats()[0].requests
    await company.collect(units, solver(policy, company), concurrency=16)
    mended = rows(company, "one")
    say(f"{len(broken)} rollouts failed with the server and were made again after its restart; {len(whole)} were kept")
    assert len(mended) == 40 and not [row.failure_reason for row in mended if row.status is RolloutStatus.FAILED]
    assert {row.key: row.id for row in mended if row.key in whole} == whole
    assert router.stats()[0].requests - before >= len(broken) and router.stats()[0].left_out == ""
    await policy.engine.aclose()
