"""The walk-through of docs/graphs.md: a solver that verifies its answer, made of a YAML file and a prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs.loading import load_runner
from graphs.runner import GraphRunner
from graphs.schema import load_spec
from graphs.state import RolloutInputs
from store.types import Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.harness_kit import NOTES, ListSearcher, text_policy
from tests.karl.kit import call

FOLDER = Path(__file__).parents[1] / "examples" / "verified_solver"
HASTY = "It must be [1]. <answer>lima</answer><confidence>90</confidence>"
RIGHT = "Falcon works there [2]. <answer>oslo</answer><confidence>95</confidence>"


async def solve(*replies: str, steps: int = 200) -> tuple[RolloutRecord, str]:
    """The record, and the first segment as the engine saw it."""
    policy = text_policy(*replies, variant="")
    path = {"graph_path": [FOLDER / "graphs"], "prompt_path": [FOLDER / "prompts"]}
    runner = load_runner("solver", policy=policy, searcher=ListSearcher(NOTES), **path)
    if steps != 200:
        plugins = [{"kind": "step_budget", "steps": steps}]
        spec = load_spec("solver", path=path["graph_path"], changes={"plugins": plugins})
        runner = GraphRunner(spec, policy=policy, searcher=ListSearcher(NOTES), prompt_path=path["prompt_path"])
    inputs = RolloutInputs(question="where does mira work?")
    record = await runner.run(inputs, key="r", purpose=Purpose.TRAIN, seed=1)
    return record, policy.decode(record.segments[0].token_ids)


async def test_a_hasty_answer_goes_back_to_search() -> None:
    record, said = await solve("<search>mira</search>", HASTY, "<search>falcon</search>", RIGHT, RIGHT)
    assert (record.status, record.answer, record.confidence) == (RolloutStatus.FINISHED, "oslo", 0.95)
    assert record.citations == [12]
    kinds = [StepKind.SEARCH, StepKind.ANSWER, StepKind.SEARCH, StepKind.ANSWER, StepKind.ANSWER]
    assert [step.kind for step in record.steps] == kinds
    # Each answer is put to the policy once, as a user turn behind it.
    assert said.count("<|end|><|user|>You answered: lima\n") == 1
    assert said.count("<|end|><|user|>You answered: oslo\n") == 1
    assert record.provenance.prompt_sha256.keys() >= {"solver", "verify"}


async def test_a_right_answer_takes_one_turn_more() -> None:
    record, said = await solve("<search>falcon</search>", RIGHT, RIGHT)
    assert record.answer == "oslo" and len(record.steps) == 3
    assert said.index("<search>falcon") < said.index("You answered: oslo")


async def test_only_what_was_sampled_is_learned_from() -> None:
    record, _ = await solve("<search>falcon</search>", RIGHT, RIGHT)
    (segment,) = record.segments
    assert sum(segment.loss_mask) == record.sampled_tokens == sum(step.sampled_tokens for step in record.steps)
    policy = text_policy(variant="")
    sampled = policy.decode([t for t, bit in zip(segment.token_ids, segment.loss_mask, strict=True) if bit])
    assert sampled == f"<search>falcon</search><|end|>{RIGHT}<|end|>{RIGHT}<|end|>"


async def test_the_answer_stands_when_the_budget_ends_while_it_is_verified() -> None:
    record, said = await solve("<search>mira</search>", HASTY, "<search>falcon</search>", steps=3)
    assert (record.status, record.answer) == (RolloutStatus.FINISHED, "lima")
    assert "This is your last turn" in said.partition("You answered: lima")[2]


def test_the_folder_is_a_project(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(FOLDER)
    checked = call(capsys, "graph", "validate", "graphs", "--strict")
    assert (checked.code, checked.out) == (0, "")
    linted = call(capsys, "prompt", "lint", "prompts", "--strict")
    assert (linted.code, linted.out) == (0, "")
    told = call(capsys, "graph", "diff", "solver")
    assert told.code == 1
    assert "+  think: {search: search, malformed: search, answer: verify, exhausted: end}" in told.out
    assert "+  verify: {kind: policy, prompt: solver, instruction: verify}" in told.out
