"""A policy node's instruction: where it stands in the conversation, who parses the turn, which graphs need one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphs.prompting import load_prompts
from graphs.runner import GraphRunner
from graphs.schema import load_spec, parse_spec
from graphs.state import RolloutInputs
from store.errors import UsageError
from store.types import Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.harness_kit import NOTES, ListSearcher, text_policy

GRAPH = """name: small
description: Drafts, then revises.
role: solver
tools: {search: {k: 3}}
plugins: [{kind: step_budget, steps: 5, last_call: false}]
start: draft
nodes:
  draft: {kind: policy, prompt: solver}
  revise: {kind: policy, prompt: solver, instruction: revise}
  search: {kind: tool, tool: search}
edges:
  draft: {search: search, malformed: search, answer: revise, exhausted: end}
  search: draft
  revise: {search: search, malformed: revise, answer: end, exhausted: end}
"""
REVISE = """---
description: Asks for a summary tag, which the solver's own prompt does not know.
variables:
  answer: {type: string, description: the draft}
  question: {type: string, description: the question}
output: {parser: tags, actions: [answer]}
---
Draft of "{{ question }}": {{ answer }}. Only <answer> counts now.
"""


async def run(folder: Path, *replies: str, graph: str = GRAPH) -> tuple[RolloutRecord, str]:
    (folder / "revise.md").write_text(REVISE)
    policy = text_policy(*replies)
    spec = parse_spec(graph, source="small.yaml")
    runner = GraphRunner(spec, policy=policy, searcher=ListSearcher(NOTES), prompt_path=[folder])
    record = await runner.run(RolloutInputs(question="who?"), key="r", purpose=Purpose.TRAIN, seed=1)
    return record, policy.decode(record.segments[0].token_ids)


async def test_the_instruction_is_a_user_turn_behind_the_answer(tmp_path: Path) -> None:
    record, said = await run(tmp_path, "<answer>bram</answer>", "<answer>mira</answer>")
    assert said == (
        "<|user|>answer: who?<|end|><|assistant|><answer>bram</answer><|end|>"
        '<|user|>Draft of "who?": bram. Only <answer> counts now.<|end|><|assistant|><answer>mira</answer><|end|>'
    )
    assert record.answer == "mira" and record.provenance.prompt_sha256.keys() >= {"solver", "revise"}


async def test_its_prompt_parses_the_turn_and_the_next_one_is_parsed_as_before(tmp_path: Path) -> None:
    # A search is no action of `revise`, so the turn is malformed and the node is entered again.
    replies = ("<answer>bram</answer>", "<search>mira</search>", "<answer>mira</answer>")
    record, said = await run(tmp_path, *replies)
    assert [step.kind for step in record.steps] == [StepKind.ANSWER, StepKind.MALFORMED, StepKind.ANSWER]
    assert said.count("Only <answer> counts now") == 2
    searching = ("<search>mira</search>", "<answer>bram</answer>", "<answer>mira</answer>")
    record, _ = await run(tmp_path, *searching)
    assert [step.kind for step in record.steps] == [StepKind.SEARCH, StepKind.ANSWER, StepKind.ANSWER]


async def test_a_node_that_speaks_first_says_prompt_and_instruction(tmp_path: Path) -> None:
    graph = GRAPH.replace(
        "draft: {kind: policy, prompt: solver}", "draft: {kind: policy, prompt: solver, instruction: revise}"
    )
    record, said = await run(tmp_path, "<answer>bram</answer>", "<answer>mira</answer>", graph=graph)
    assert said.startswith('<|user|>answer: who?<|end|><|user|>Draft of "who?": . Only <answer> counts now.<|end|>')
    assert record.status is RolloutStatus.FINISHED


def test_variables_of_an_instruction_are_checked(tmp_path: Path) -> None:
    (tmp_path / "revise.md").write_text(REVISE.replace("answer:", "anwser:").replace("{{ answer }}", "{{ anwser }}"))
    spec = parse_spec(GRAPH, source="small.yaml")
    with pytest.raises(
        UsageError, match=r"small\.yaml:9:42: key 'nodes\.revise\.instruction'.*'anwser'.*mean 'answer'"
    ):
        load_prompts(spec, variant="", path=[tmp_path])


def test_the_hash_knows_the_instruction() -> None:
    other = GRAPH.replace("instruction: revise", "instruction: review")
    assert parse_spec(other, source="small.yaml").sha256 != parse_spec(GRAPH, source="small.yaml").sha256
    assert load_spec("solver").nodes["think"].model_dump()["instruction"] is None


BROKEN = [
    (
        ", instruction: revise",
        "",
        r"small\.yaml:12:46: key 'edges\.draft\.answer': 'revise' would .*; give it an 'instr",
    ),
    (
        "answer: end",
        "answer: search",
        r":14:47: key 'edges\.revise\.answer': 'search' carries out calls, and an answer",
    ),
    ("start: draft", "start: search", r":6:1: key 'start': a tool node can't come first"),
    (
        "revise: {kind: policy, prompt: solver, instruction: revise}",
        "revise: {kind: value_select, prompt: solver}",
        r":12:46: key 'edges\.draft\.answer': 'revise' would speak right after a turn, with nothing to answer$",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_a_turn_with_nothing_to_answer_is_refused(old: str, new: str, message: str) -> None:
    assert old in GRAPH
    with pytest.raises(UsageError) as told:
        parse_spec(GRAPH.replace(old, new, 1), source="small.yaml")
    assert any(re.search(message, str(problem)) for problem in (told.value, *told.value.others))
