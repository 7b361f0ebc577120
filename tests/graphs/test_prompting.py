"""Prompts held against the graph that names them: role, types and fields; one case per message."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs import samples
from graphs.library import Library
from graphs.prompting import load_prompts
from graphs.runner import GraphRunner
from graphs.schema import load_spec, parse_spec
from graphs.state import RolloutInputs
from prompts import load_prompt
from prompts.lint import lint_prompt
from store.errors import UsageError
from store.types import FailureKind, Purpose, RolloutStatus
from tests.graphs.small import small_spec
from tests.harness_kit import NOTES, ListSearcher, text_policy

PROMPT = """---
description: Asks for one thing.
variables:
  {name}: {{type: {type}, description: what is given}}
output: {{parser: tags, actions: [search, {action}]}}
---
{body}
"""


def complaint(folder: Path, *, name: str, type: str, body: str, action: str = "answer") -> str:
    (folder / "mine.md").write_text(PROMPT.format(name=name, type=type, body=body, action=action))
    (folder / "mine.yaml").write_text("extends: solver\nnodes: {think: {prompt: mine}}\n")
    with pytest.raises(UsageError) as raised:
        Library(graph_path=[folder], prompt_path=[folder]).get("mine")
    return str(raised.value)


def test_a_solver_with_the_generators_prompt() -> None:
    text = "description: d\nextends: solver\nnodes: {think: {prompt: generator}}\n"
    with pytest.raises(UsageError) as raised:
        load_prompts(parse_spec(text, source="f.yaml"), variant="", path=[])
    said = str(raised.value)
    assert "f.yaml:3:17: key 'nodes.think.prompt'" in said
    assert "generator.md: this prompt ends the rollout with candidates, and a solver has to bring 'answer'" in said


def test_a_generator_with_the_solvers_prompt() -> None:
    text = "description: d\nextends: qa_generator\nnodes: {think: {prompt: solver}}\n"
    with pytest.raises(UsageError, match="ends the rollout with answer, and a generator has to bring 'candidates'"):
        load_prompts(parse_spec(text, source="f.yaml"), variant="", path=[])


def test_a_prompt_that_lets_no_turn_end(tmp_path: Path) -> None:
    said = complaint(tmp_path, name="question", type="string", body="{{ question }}", action="summary")
    assert "mine.md: this prompt lets no turn end the rollout (its actions: search, summary)" in said
    assert "a solver has to bring 'answer'" in said


def test_a_type_that_no_value_has(tmp_path: Path) -> None:
    said = complaint(tmp_path, name="seeds", type="integer", body="{{ seeds }}")
    assert "mine.yaml:2:17: key 'nodes.think.prompt'" in said and "variable 'seeds': expected integer, got str" in said


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{% for a in answers %}{{ a.txt }}{% endfor %}", "can't be rendered: 'FinalAnswer' has no attribute 'txt'"),
        ("{{ answers + 1 }}", "can't be rendered: can only concatenate list"),
    ],
)
def test_a_body_that_no_value_fits(tmp_path: Path, body: str, why: str) -> None:
    assert why in complaint(tmp_path, name="answers", type="list", body=body).replace(
        "prompts.output.FinalAnswer object", "FinalAnswer"
    )


def test_a_private_field_is_named_by_lint_with_its_line(tmp_path: Path) -> None:
    body = "Think.\n{{ question.__class__ }}"
    (tmp_path / "p.md").write_text(PROMPT.format(name="question", type="string", body=body, action="answer"))
    (found,) = lint_prompt(tmp_path / "p.md")
    assert (found.line, found.rule) == (8, "unusable")
    assert found.message == "template: '.__class__' is out of reach; name public fields only"


@pytest.mark.parametrize("name", ["solver", "qa_generator", "aggregator", "value_guided_solver"])
@pytest.mark.parametrize("variant", ["", "tiny"])
def test_built_in_prompts_fit_their_graphs(name: str, variant: str) -> None:
    assert load_prompts(load_spec(name, variant=variant), variant=variant, path=[])


ALL = """---
description: Names everything that an opening prompt may name.
variables: {{{declared}}}
output: {{parser: tags, actions: [answer]}}
---
{body}
"""
NAMES = {str: "string", int: "integer", list: "list"}


async def test_a_rollout_supplies_what_the_samples_promise(tmp_path: Path) -> None:
    declared = ", ".join(f"{name}: {{type: {NAMES[type(value)]}}}" for name, value in samples.OPENING.items())
    body = " ".join(f"{{{{ {name} }}}}" for name in samples.OPENING)
    (tmp_path / "solver.md").write_text(ALL.format(declared=declared, body=body))
    policy = text_policy("[1] <answer>oslo</answer>", variant="")
    runner = GraphRunner(small_spec("solver"), policy=policy, searcher=ListSearcher(NOTES), prompt_path=[tmp_path])
    record = await runner.run(RolloutInputs("where?"), key="k", purpose=Purpose.TRAIN, seed=1)
    assert (record.status, record.answer) == (RolloutStatus.FINISHED, "oslo")


async def test_a_solver_that_only_proposes_candidates_has_not_answered() -> None:
    policy = text_policy("<candidate><question>who?</question><answer>mira</answer></candidate>", variant="")
    spec = small_spec("solver")
    prompts = {**load_prompts(spec, variant="", path=[]), "solver": load_prompt("generator")}
    runner = GraphRunner(spec, policy=policy, searcher=ListSearcher(NOTES), prompts=prompts)
    record = await runner.run(RolloutInputs("who?"), key="k", purpose=Purpose.TRAIN, seed=1)
    assert record.status is RolloutStatus.UNFINISHED and record.failure is not None
    assert record.failure.kind is FailureKind.BUDGET
    assert record.failure.reason.startswith("no answer after 1 turns and ")
