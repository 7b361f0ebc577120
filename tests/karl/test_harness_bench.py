"""The harness bench: its three variants make the same rollouts, its figures are what they are called."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from karl.benches.harness import percentiles, variants
from karl.benches.harness_memory import measure
from karl.benches.harness_rig import make_rig
from karl.cli import karl


async def test_all_variants_make_the_same_rollout() -> None:
    rig = make_rig(steps=4)
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


async def test_memory_is_measured_with_all_rollouts_under_way() -> None:
    found = await measure(rollouts=20, steps=5)
    assert (found["rollouts"], found["steps"]) == (20, 5)
    assert found["tokens_per_rollout"] > 100 and 0 < found["peak_rss_gib"] < 8 and found["idle_kib_per_rollout"] >= 0


def test_percentiles_of_known_values() -> None:
    assert percentiles(list(range(101))) == {"p50": 50.0, "p90": 90.0, "p99": 99.0}


@pytest.mark.slow
def test_the_command_prints_figures_and_targets() -> None:
    options = ["--repeats", "2", "--concurrency", "8", "--alone", "4", "--memory-rollouts", "20", "--memory-steps", "5"]
    result = CliRunner().invoke(karl, ["bench", "harness", *options, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["name"] == "harness" and set(report["figures"]["concurrent"]) == {"karl", "node_by_node", "by_hand"}
    assert [target["key"] for target in report["targets"]][-1] == "memory.peak_rss_gib"
    assert report["figures"]["memory"]["rollouts"] == 20 and "langgraph" in report["compared"]["node_by_node"]
