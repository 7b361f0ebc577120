"""Turns with tool calls: kinds, records, replies in order, what is wrong said call by call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import ToolException, tool

from agents.chat_template import chat_template
from agents.engines.scripted import ScriptedEngine
from agents.policy import Policy, PolicyProfile
from graphs.events import SearchStarted, ToolReplied
from graphs.runner import GraphRunner
from graphs.schema import parse_spec
from graphs.state import RolloutInputs
from store.errors import UsageError
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.chat_families import FAMILIES, family_tokenizer
from tests.graphs.small import small_spec
from tests.harness_kit import NOTES, ListSearcher, text_policy

PROMPT = """---
description: Native calls.
variables:
  question: {type: string}
  tools: {type: list}
  tool_format: {type: string}
output: {parser: tags, actions: [answer], calls: auto}
---
{{ question }}
{% for tool in tools %}
{{ tool.name }}: {{ tool.description }} {{ tool.parameters }}
{% endfor %}
{{ tool_format }}
"""
ANSWER = "<answer>oslo</answer>"


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@tool
async def weather(city: str, days: int = 1) -> str:
    """The weather of a city."""
    if city == "atlantis":
        raise ToolException("no city 'atlantis'")
    return f"{city}: rain for {days} days"


@tool
async def broken() -> str:
    """Breaks."""
    raise OSError("socket closed")


def runner(
    folder: Path, *replies: str, tools: Any = (weather,), searcher: Any = None, **changes: Any
) -> tuple[GraphRunner, Any]:
    (folder / "native.md").write_text(PROMPT)
    policy = text_policy(*replies)
    nodes = {"think": {"kind": "policy", "prompt": "native"}}
    settings = {"named": [t.name for t in tools], "calls": "hermes", **changes.pop("tools_settings", {})}
    spec = small_spec("solver", nodes=nodes, tools=settings, sampling={"max_tokens": 1_000}, **changes)
    made = GraphRunner(spec, policy=policy, searcher=searcher or ListSearcher(NOTES), tools=tools, prompt_path=[folder])
    return made, policy


async def solve(made: GraphRunner, **options: Any) -> RolloutRecord:
    return await made.run(RolloutInputs(question="where?"), key="r", purpose=Purpose.TRAIN, seed=0, **options)


async def test_several_calls_of_a_turn_run_and_their_replies_stand_in_order(tmp_path: Path) -> None:
    turn = call("search", query="mira") + call("weather", city="oslo", days="2") + call("search", query="falcon")
    made, policy = runner(tmp_path, turn, ANSWER)
    record = await solve(made)
    step = record.steps[0]
    assert record.status is RolloutStatus.FINISHED and step.kind is StepKind.TOOL
    assert (step.query, step.hits) == ("mira", [11, 11, 12])
    assert [(c.tool, c.arguments, c.hits, c.reply, c.error) for c in step.calls] == [
        ("search", {"query": "mira"}, [11], "", None),
        ("weather", {"city": "oslo", "days": 2}, [], "oslo: rain for 2 days", None),
        ("search", {"query": "falcon"}, [11, 12], "", None),
    ]
    said = policy.decode(record.segments[0].token_ids)
    assert (
        "<|end|><|tool|>[1] mira leads falcon<|end|><|tool|>oslo: rain for 2 days<|end|>"
        "<|tool|>[1] mira leads falcon\n[2] falcon works in oslo<|end|><|assistant|>" in said
    )
    assert 'weather: The weather of a city. {"properties": {"city"' in said and '{"name": "the tool"' in said


async def test_searches_alone_are_a_search(tmp_path: Path) -> None:
    made, _ = runner(tmp_path, call("search", query="mira") + call("search", query="orion"), ANSWER)
    record = await solve(made)
    assert record.steps[0].kind is StepKind.SEARCH and record.searches == 2
    assert [c.hits for c in record.steps[0].calls] == [[11], [13, 14]]


async def test_searches_are_those_carried_out_whatever_else_a_turn_calls(tmp_path: Path) -> None:
    forecast, found = call("weather", city="oslo"), call("search", query="mira")
    refused = {"plugins": [{"kind": "tool_gate", "max_query_chars": 5}, {"kind": "step_budget", "steps": 6}]}
    cases: list[tuple[str, dict[str, Any], list[str]]] = [
        (forecast + found, {}, ["mira"]),
        (found + forecast + call("search", query="orion"), {}, ["mira", "orion"]),
        (call("search", query="falcon"), refused, []),
        (call("search", query="falcon") + found, refused, ["mira"]),
    ]
    for turn, changes, queries in cases:
        heard: list[Any] = []
        made, _ = runner(tmp_path, turn, ANSWER, **changes)
        record = await solve(made, emit=heard.append)
        started = [event.query for event in heard if isinstance(event, SearchStarted)]
        assert record.steps[0].queries == queries == started and record.searches == len(queries)


async def test_every_search_tag_of_a_turn_is_carried_out_or_answered_with_why_not() -> None:
    turn = "<search>mira</search><search>orion</search><search>falcon</search>"
    policy = text_policy(turn, ANSWER)
    made = GraphRunner(small_spec("solver", tools={"calls_per_turn": 2}), policy=policy, searcher=ListSearcher(NOTES))
    record = await solve(made)
    step = record.steps[0]
    assert step.kind is StepKind.SEARCH and (step.query, step.hits) == ("mira", [11, 13, 14])
    assert step.queries == ["mira", "orion"]
    assert [(c.arguments["query"], c.hits, c.error) for c in step.calls] == [
        ("mira", [11], None),
        ("orion", [13, 14], None),
        ("falcon", [], "a turn may hold 2 calls; this one was not carried out"),
    ]
    said = policy.decode(record.segments[0].token_ids)
    assert said.count("<|tool|>") == 3 and "<|tool|>[1] mira leads falcon<|end|><|tool|>[2]" in said
    assert "was not carried out: a turn may hold 2 calls; this one was not carried out.<|end|><|assistant|>" in said


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (call("serch", query="x"), "there is no tool 'serch'; there are: search, weather; did you mean 'search'?"),
        (call("search", words="x"), "unknown argument 'words'; 'search' takes: query"),
        (call("search"), "the argument 'query' is missing; 'search' takes: query"),
        (call("weather", city="oslo", days="two"), "argument 'days': 'two' is not of type 'integer'"),
        ("<tool_call>search mira</tool_call>", "there is no JSON object inside <tool_call>"),
    ],
)
async def test_a_wrong_call_is_answered_so_that_it_can_be_mended(tmp_path: Path, text: str, error: str) -> None:
    made, policy = runner(tmp_path, text + call("search", query="mira"), text, ANSWER)
    record = await solve(made)
    mixed, alone, _ = record.steps
    assert mixed.kind is StepKind.SEARCH and [c.error for c in mixed.calls] == [error, None] and mixed.hits == [11]
    assert alone.kind is StepKind.MALFORMED and [c.error for c in alone.calls] == [error]
    said = policy.decode(record.segments[0].token_ids)
    sentence = error if error.endswith("?") else f"{error}."
    assert said.count(f"was not carried out: {sentence}<|end|>") == 2
    assert f"was not carried out: {sentence}<|end|><|tool|>[1] mira leads falcon<|end|>" in said


async def test_only_broken_calls_to_the_end_are_the_policys_fault(tmp_path: Path) -> None:
    made, _ = runner(tmp_path, *[call("serch", query="x")] * 6)
    record = await solve(made)
    assert record.status is RolloutStatus.UNFINISHED and record.failure is not None
    assert record.failure.kind is FailureKind.PARSE and "there is no tool 'serch'" in record.failure.reason


async def test_a_tools_complaint_is_told_and_its_breakdown_fails_the_rollout(tmp_path: Path) -> None:
    made, policy = runner(tmp_path, call("weather", city="atlantis"), ANSWER)
    record = await solve(made)
    assert record.status is RolloutStatus.FINISHED and record.steps[0].kind is StepKind.TOOL
    assert record.steps[0].calls[0].error == "no city 'atlantis'"
    assert "<|tool|>Error: no city 'atlantis'<|end|>" in policy.decode(record.segments[0].token_ids)
    failing, _ = runner(tmp_path, call("broken") + call("search", query="mira"), ANSWER, tools=(broken,))
    failed = await solve(failing)
    assert failed.status is RolloutStatus.FAILED and failed.failure is not None
    assert failed.failure.kind is FailureKind.TOOL and "tool broken: OSError: socket closed" in failed.failure.reason


async def test_calls_run_side_by_side_within_the_limits(tmp_path: Path) -> None:
    running, most = 0, 0

    @tool
    async def wait(n: int) -> str:
        """Waits."""
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.02 / n)  # the last is done first
        running -= 1
        return f"waited {n}"

    turn = "".join(call("wait", n=n) for n in range(1, 8))
    limits = {"concurrency": 3, "calls_per_turn": 6}
    made, policy = runner(tmp_path, turn, ANSWER, tools=(wait,), tools_settings=limits)
    events: list[Any] = []
    record = await solve(made, emit=events.append)
    assert most == 3 and [c.reply for c in record.steps[0].calls[:6]] == [f"waited {n}" for n in range(1, 7)]
    assert record.steps[0].calls[6].error == "a turn may hold 6 calls; this one was not carried out"
    assert [e.reply for e in events if isinstance(e, ToolReplied)][:6] == [f"waited {n}" for n in range(1, 7)]
    assert "waited 1<|end|><|tool|>waited 2<|end|>" in policy.decode(record.segments[0].token_ids)


async def test_plugins_gate_every_call_and_speak_once(tmp_path: Path) -> None:
    plugins = [{"kind": "step_budget", "steps": 2}, {"kind": "tool_gate", "deny": ["weather"]}]
    made, policy = runner(
        tmp_path, call("search", query="mira") + call("weather", city="oslo"), ANSWER, plugins=plugins
    )
    record = await solve(made)
    assert [c.error for c in record.steps[0].calls] == [None, "the tool 'weather' may not be used here"]
    said = policy.decode(record.segments[0].token_ids)
    assert said.count("answer now") == 1 and "not be used here.\nanswer now<|end|>" in said


def test_tools_that_are_missing_are_found_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names the tool 'wether' and was not given it; given: weather; did you mean"):
        runner(tmp_path, tools_settings={"named": ["wether"]})
    with pytest.raises(UsageError, match="tool 'json:dmps': can't be imported"):
        runner(tmp_path, tools_settings={"named": ["json:dmps"]})
    with pytest.raises(
        UsageError, match="tool 'json:JSONDecoder': expected a function or a LangChain tool, found type"
    ):
        runner(tmp_path, tools_settings={"named": ["json:JSONDecoder"]})
    with pytest.raises(UsageError, match="uses the MCP server 'files' and was given none of its tools"):
        runner(tmp_path, tools_settings={"mcp": {"files": {"command": "x", "tools": ["read"]}}})
    with pytest.raises(UsageError, match=r"chat template does not list tools; set 'tools\.announce: prompt'"):
        runner(tmp_path, tools_settings={"announce": "template"})


async def test_a_tool_may_be_a_function_of_a_module(tmp_path: Path) -> None:
    reference = "tests.graphs.test_tool_node:count_words"
    made, _ = runner(tmp_path, call("count_words", text="a b c"), ANSWER, tools_settings={"named": [reference]})
    assert (await solve(made)).steps[0].calls[0].reply == "3"


def count_words(text: str) -> int:
    """How many words a text has."""
    return len(text.split())


@pytest.mark.parametrize(("mean", "k"), [(400.0, 20), (2_000.0, 5), (8_000.0, 2), (1e9, 2)])
def test_hits_per_query_follow_from_a_token_budget(mean: float, k: int) -> None:
    class Sized(ListSearcher):
        mean_chars = mean

    spec = small_spec("solver", tools={"search": {"k": 20, "tokens": 2_500, "max_chars": 4_000}})
    made = GraphRunner(spec, policy=text_policy(ANSWER), searcher=Sized(NOTES))
    assert made.harness.search is not None and made.harness.search.k == k


def test_a_token_budget_needs_a_searcher_that_knows_its_chunks() -> None:
    spec = small_spec("solver", tools={"search": {"tokens": 2_500}})
    with pytest.raises(UsageError, match="ListSearcher has no 'mean_chars'"):
        GraphRunner(spec, policy=text_policy(ANSWER), searcher=ListSearcher(NOTES))


def test_wrong_settings_of_tools_are_named() -> None:
    graph = "name: g\ndescription: d\nrole: solver\ntools: {{{}}}\nstart: a\n"
    edges = "nodes: {a: {kind: policy, prompt: solver}}\nedges: {a: {search: end, answer: end, malformed: end}}\n"
    with pytest.raises(UsageError, match=r"key 'tools.announce': .*'prompt' or 'template'.*did you mean 'template'"):
        parse_spec(graph.format("announce: templat") + edges, source="g")
    with pytest.raises(UsageError, match=r"key 'tools.mcp.files': .*give `command` or `url`"):
        parse_spec(graph.format("mcp: {files: {tools: [x]}}") + edges, source="g")


@pytest.mark.parametrize("announce", ["prompt", "template"])
async def test_the_native_solver_runs_in_its_models_own_format(announce: str) -> None:
    family = FAMILIES["glm4_5"]
    tokenizer = family_tokenizer("glm4_5")
    turns = iter(
        [
            "\n<think>two at once</think>\n" + "".join(family.call("search", {"query": q}) for q in ("mira", "lima")),
            "\n<think>so</think>\nExplanation: [1] says it.\n**Exact Answer:** Oslo\nConfidence: 70%",
        ]
    )
    engine = ScriptedEngine(lambda request: next(turns), template=chat_template(tokenizer))
    policy = Policy(engine, tokenizer, PolicyProfile())
    nodes = {"think": {"kind": "policy", "prompt": "solver_native"}}
    changes = {"tools": {"announce": announce}, "sampling": {"max_tokens": 1_000}}
    made = GraphRunner(small_spec("solver", nodes=nodes, **changes), policy=policy, searcher=ListSearcher(NOTES))
    record = await solve(made)
    assert (record.answer, record.confidence, record.citations) == ("Oslo", 0.7, [11])
    assert [c.hits for c in record.steps[0].calls] == [[11], [14]]
    said = policy.decode(record.segments[0].token_ids)
    assert said.startswith("[gMASK]<sop><|system|>\n# Tools" if announce == "template" else "[gMASK]<sop><|user|>\n")
    assert ("## Your tools" in said) is (announce == "prompt") and said.count("<arg_key>query</arg_key>") == 2
