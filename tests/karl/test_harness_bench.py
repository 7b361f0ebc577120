"""The harness bench: its three variants make the same rollouts, its figures are what they are called."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from agents.engines.base import Generation
from karl.benches.harness import Made, _batch, variants
from karl.benches.harness_figures import Batch, batch_figures, percentiles, single_figures, targets
from karl.benches.harness_memory import measure
from karl.benches.harness_rig import Stopwatch, make_rig
from karl.benches.harness_size import FULL, TINY, Size
from karl.cli import karl
from store.types import Hit


@pytest.mark.parametrize("size", [TINY, FULL])
async def test_all_variants_make_the_same_rollout(size: Size) -> None:
    rig = make_rig(steps=4, size=size)
    made: dict[str, Any] = {name: await run("r") for name, run in variants(rig).items()}
    karl, by_hand = made["karl"], made["by_hand"]
    assert karl.answer == by_hand.answer == "oslo"
    assert [step.kind for step in karl.steps] == ["search", "search", "search", "answer"]
    for name in ("node_by_node", "by_hand"):
        assert made[name].segments == karl.segments
        for step, other in zip(karl.steps, made[name].steps, strict=True):
            assert (step.kind, step.text, step.query, step.hits) == (other.kind, other.text, other.query, other.hits)
            assert (step.prompt_tokens, step.sampled_tokens) == (other.prompt_tokens, other.sampled_tokens)


async def test_the_engine_knows_its_own_time_and_forgets_sessions() -> None:
    rig = make_rig(steps=3, timed=True)
    run = variants(rig)["karl"]
    await run("a")
    assert 0 < rig.engine.watch.wall < 5 and rig.searcher.watch.wall > 0
    assert len(rig.engine.steps_ms) == 2 and min(rig.engine.steps_ms) > 0
    await asyncio.gather(run("b"), run("c"))
    assert rig.engine._turns == {}


async def test_a_broken_searcher_ends_the_bench() -> None:
    rig = make_rig(steps=6)

    async def broken(query: str, k: int) -> list[Hit]:
        raise OSError("index is gone")

    rig.searcher.search = broken
    for name in ("karl", "node_by_node"):
        with pytest.raises(RuntimeError, match=r"failed: .*index is gone"):
            await _batch(rig, variants(rig)[name], 4)
    with pytest.raises(OSError, match="index is gone"):
        await _batch(rig, variants(rig)["by_hand"], 4)


async def test_a_rollout_that_stops_short_ends_the_bench() -> None:
    rig = make_rig(steps=6)
    rig.engine.search = Generation(list(rig.engine.answer.token_ids), list(rig.engine.answer.logprobs), "stop")
    for run in variants(rig).values():
        with pytest.raises(RuntimeError, match="took 1 steps and not 6"):
            await _batch(rig, run, 4)


async def test_the_rig_keeps_the_shipped_plugins() -> None:
    for size in (TINY, FULL):
        rig = make_rig(steps=6, size=size)
        assert [plugin.kind for plugin in rig.spec.plugins] == ["step_budget", "compression"]
        made: Made = await variants(rig)["karl"]("r")
        assert len(made.segments) == 1 and len(made.steps) == 6  # neither compressed nor out of turns


async def test_full_size_is_that_of_long_passages() -> None:
    rig = make_rig(steps=6, size=FULL)
    assert [len(hit.text) for hit in rig.searcher.hits] == [1500] * 20
    batch = await _batch(rig, variants(rig)["karl"], 1)
    assert 0 < batch.encode.cpu < batch.took.cpu
    assert rig.policy.template.watch.cpu == batch.encode.cpu


async def test_memory_is_measured_with_all_rollouts_under_way() -> None:
    found = await measure(rollouts=20, steps=5)
    assert (found["rollouts"], found["steps"]) == (20, 5)
    assert found["tokens_per_rollout"] > 100 and 0 < found["peak_rss_gib"] < 8 and found["idle_kib_per_rollout"] >= 0


def test_percentiles_of_known_values() -> None:
    assert percentiles(list(range(101))) == {"p50": 50.0, "p90": 90.0, "p99": 99.0}


def test_figures_of_known_batches() -> None:
    watches = [Stopwatch(wall=0.24, cpu=0.12), Stopwatch(wall=0.48, cpu=0.12), Stopwatch(wall=0.48, cpu=0.36)]
    batches = [Batch(watch, Stopwatch(cpu=0.06)) for watch in watches]
    found = batch_figures(batches, rollouts=10, steps=6)
    assert found["cpu_ms_per_rollout"] == {"p50": 12.0, "min": 12.0, "max": 36.0}
    assert found["wall_ms_per_rollout"] == {"p50": 48.0, "min": 24.0, "max": 48.0}
    assert found["cpu_ms_per_step"]["p50"] == 2.0 and found["wall_ms_per_step"]["p50"] == 8.0
    assert found["encode_cpu_ms_per_rollout"]["max"] == 6.0
    assert found["rollouts_per_wall_second"] == 25.0 and found["busy"] == 0.5
    single = single_figures(batches, between_requests_ms=list(range(101)))
    assert single["cpu_ms_per_rollout"]["p50"] == 120.0 and single["between_requests_ms"]["p99"] == 99.0
    assert "cpu_ms_per_step" not in single


def test_both_clocks_have_targets() -> None:
    batches = [Batch(Stopwatch(wall=0.06, cpu=0.03), Stopwatch(cpu=0.01))]
    together = batch_figures(batches, rollouts=10, steps=6)
    single = single_figures(batches, between_requests_ms=[1.0])
    found = targets({"concurrent": {"karl": together}, "alone": {"karl": single}, "memory": {"peak_rss_gib": 1.0}})
    held = {target.key.removeprefix("concurrent.karl."): target.as_dict()["ok"] for target in found[:4]}
    assert held == {
        "cpu_ms_per_step.p50": True,
        "wall_ms_per_step.p50": True,
        "cpu_ms_per_rollout.p50": True,
        "wall_ms_per_rollout.p50": False,
    }


@pytest.mark.slow
def test_the_command_prints_figures_and_targets() -> None:
    options = [
        "--repeats",
        "2",
        "--concurrency",
        "8",
        "--alone",
        "4",
        "--full-size",
        "2",
        "--memory-rollouts",
        "20",
        "--memory-steps",
        "5",
    ]
    result = CliRunner().invoke(karl, ["bench", "harness", *options, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["name"] == "harness" and set(report["figures"]["concurrent"]) == {"karl", "node_by_node", "by_hand"}
    assert [target["key"] for target in report["targets"]][-1] == "memory.peak_rss_gib"
    size = report["figures"]["size"]
    assert size["full"]["rollout_tokens"] > 50_000 and size["embedded"]["rollout_tokens"] < 2_000
    assert size["full"]["mean_hit_chars"] == 1500 and size["embedded"]["hits_per_search"] == 3
    assert report["figures"]["memory"]["rollouts"] == 20 and "langgraph" in report["compared"]["node_by_node"]
