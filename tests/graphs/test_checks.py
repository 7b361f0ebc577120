"""What is found before anything runs: one test per message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from graphs.functions import import_function
from graphs.library import Library
from graphs.prompting import load_prompts
from graphs.schema import load_spec, merge, parse_spec
from store.errors import UsageError

GRAPH = """name: f
description: A solver that checks what it is about to say.
role: solver
tools: {search: {k: 3}}
plugins:
  - {kind: step_budget, steps: 9}
  - {kind: compression, trigger_tokens: 900, summary_tokens: 90}
start: think
nodes:
  think: {kind: policy, prompt: solver}
  search: {kind: tool, tool: search}
  compress: {kind: compress}
edges:
  think: {search: search, malformed: search, answer: end, exhausted: end}
  search: {ok: think, compress: compress}
  compress: think
"""
NOTE = "{kind: python, function: 'graphs.dedup:drop_exact'}"


def complaint(**changes: object) -> str:
    """What is said about the graph above with changes laid over it."""
    text = yaml.safe_dump(merge(yaml.safe_load(GRAPH), changes), sort_keys=False)
    with pytest.raises(UsageError) as raised:
        parse_spec(text, source="f.yaml")
    return str(raised.value)


def test_the_graph_itself_is_sound() -> None:
    assert parse_spec(GRAPH, source="f.yaml").name == "f"


def test_a_node_that_never_reaches_the_end() -> None:
    said = complaint(nodes={"wait": yaml.safe_load(NOTE)}, edges={"think": {"malformed": "wait"}, "wait": "wait"})
    assert "key 'nodes.wait': no route from here ever leads to 'end'; lead one of its outcomes there" in said


def test_every_budget_bounds_a_loop_through_the_policy() -> None:
    for plugin in ({"kind": "token_budget", "tokens": 9}, {"kind": "time_budget", "seconds": 9}):
        text = yaml.safe_dump({**yaml.safe_load(GRAPH), "plugins": [plugin]})
        assert parse_spec(text, source="f.yaml").plugins[0].kind == plugin["kind"]


def test_a_loop_without_a_limit_names_the_mend() -> None:
    said = complaint(plugins=[{"kind": "compression", "trigger_tokens": 900, "summary_tokens": 90}])
    assert (
        "key 'edges.think': a loop without a limit, through think, search, compress; add 'plugins: [{kind: step_budget"
        in said
    )
    assert "'limits: {seconds: ...}'" in said


def test_seconds_bound_any_loop() -> None:
    data = {**yaml.safe_load(GRAPH), "plugins": [], "limits": {"seconds": 5}}
    assert parse_spec(yaml.safe_dump(data), source="f.yaml").limits.seconds == 5.0


@pytest.mark.parametrize(("key", "kind"), [("steps", "step_budget"), ("tokens", "token_budget")])
def test_a_limit_that_is_a_plugins_names_the_plugin(key: str, kind: str) -> None:
    said = complaint(limits={key: 4})
    assert f"key 'limits.{key}': unknown key; " in said and "super_steps" not in said
    assert f"plugins: [{{kind: {kind}, {key}: ...}}]" in said


def test_a_budget_does_not_bound_a_loop_that_asks_the_policy_nothing() -> None:
    said = complaint(
        nodes={"a": yaml.safe_load(NOTE), "b": {"kind": "parallel", "graph": "solver", "strategy": "majority"}},
        edges={"think": {"answer": "a"}, "a": "b", "b": {"majority": "a", "failed": "end"}},
    )
    assert (
        "key 'edges.a': a loop without a limit, through a, b; 'step_budget' bounds only loops through a policy node"
        in said
    )


def test_compression_that_leads_nowhere() -> None:
    said = complaint(nodes={"compress": None}, edges={"search": {"compress": "think"}})
    assert "key 'edges.search.compress': the compression plugin's outcome 'compress' leads to 'think'" in said
    assert "lead it to a node of kind compress" in said


def test_a_summary_as_long_as_the_trigger() -> None:
    budget = {"kind": "step_budget", "steps": 9}
    said = complaint(plugins=[budget, {"kind": "compression", "trigger_tokens": 90, "summary_tokens": 90}])
    assert "key 'plugins.1.summary_tokens': a summary of 90 tokens would trigger the next compression at 90" in said


def test_a_judge_in_a_conversation() -> None:
    said = complaint(
        nodes={"check": {"kind": "judge", "judge": "quality"}}, edges={"think": {"answer": "check"}, "check": "end"}
    )
    assert "a judge node works on the state 'case', but the graph's is 'rollout'; set 'state: case'" in said


def test_a_policy_in_a_set() -> None:
    assert "a policy node works on the state 'rollout', but the graph's is 'set'" in complaint(state="set")


def test_a_graph_that_runs_itself() -> None:
    said = complaint(
        nodes={"n": {"kind": "parallel", "graph": "f", "strategy": "majority"}},
        edges={"think": {"answer": "n"}, "n": {"majority": "end", "failed": "end"}},
    )
    assert "key 'nodes.n.graph': graph 'f' runs itself" in said


def test_graphs_that_run_one_another(tmp_path: Path) -> None:
    for one, other in (("ping", "pong"), ("pong", "ping")):
        node = f"{{n: {{kind: parallel, graph: {other}, strategy: majority}}}}"
        text = f"description: d\nrole: solver\nstart: n\nnodes: {node}\nedges: {{n: end}}\n"
        (tmp_path / f"{one}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"pong\.yaml:4:\d+: key 'nodes\.n\.graph': .* \(ping > pong > ping\)"):
        Library(graph_path=[tmp_path]).get("ping")


def test_a_graph_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "aggregator.yaml").write_text("extends: aggregator\nnodes: {attempts: {graph: solvr}}\n")
    with pytest.raises(UsageError, match=r"no graph named 'solvr'.*did you mean 'solver'"):
        Library(graph_path=[tmp_path]).get("aggregator")


def test_a_prompt_that_is_not_there_is_named_with_the_graphs_key() -> None:
    spec = parse_spec(GRAPH.replace("prompt: solver", "prompt: solvr"), source="f.yaml")
    with pytest.raises(
        UsageError, match=r"f\.yaml:10:25: key 'nodes\.think\.prompt': no prompt named 'solvr'.*mean 'solver'"
    ):
        load_prompts(spec, variant="", path=[])


def test_a_prompt_of_a_plugin_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "last_call.md").write_text("---\ndescription: d\nvariables: {left: {type: integer}}\n---\n{{ left }}\n")
    with pytest.raises(UsageError, match=r"f\.yaml:6:5: key 'plugins\.0': .*last_call\.md: nothing supplies 'left'"):
        load_prompts(parse_spec(GRAPH, source="f.yaml"), variant="", path=[tmp_path])


HOOKS = """
from typing import Any
from graphs.state import GraphState
async def good(state: GraphState) -> dict[str, Any]: return {}
async def bare(state) -> dict[str, Any]: return {}
async def other(state: int) -> dict[str, Any]: return {}
async def silent(state: GraphState): return {}
async def wrong(state: GraphState) -> int: return 1
async def two(state: GraphState, more: int) -> dict[str, Any]: return {}
async def lost(state: "Nowhere") -> dict[str, Any]: return {}
def plain(state: GraphState) -> dict[str, Any]: return {}
"""
FUNCTIONS = [
    ("bare", r"the parameter 'state' has no annotation; write `async def bare\(state: GraphState\) -> dict"),
    ("other", "the parameter 'state' is annotated int, not GraphState"),
    ("silent", "it returns nothing by its annotation"),
    ("wrong", "it returns int by its annotation, not a mapping"),
    ("two", "takes 2 parameters, a node takes the state alone"),
    ("lost", "its annotations can't be read .*outside of TYPE_CHECKING"),
    ("plain", "not an async function"),
    ("gone", "can't be imported: .*has no attribute 'gone'"),
]


@pytest.mark.parametrize(("name", "message"), FUNCTIONS)
def test_a_python_node_is_held_against_its_signature(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "checked_hooks.py").write_text(HOOKS, encoding="utf-8")
    assert callable(import_function("checked_hooks:good", folders=[tmp_path]))
    with pytest.raises(UsageError, match=message):
        import_function(f"checked_hooks:{name}", folders=[tmp_path])


def test_a_module_that_fails_when_imported(tmp_path: Path) -> None:
    (tmp_path / "failing_hooks.py").write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(UsageError, match="can't be imported: ZeroDivisionError: division by zero"):
        import_function("failing_hooks:run", folders=[tmp_path])


def test_a_function_beside_the_graph_is_found_and_a_wrong_one_placed(tmp_path: Path) -> None:
    (tmp_path / "beside_hooks.py").write_text(HOOKS, encoding="utf-8")
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    text = "description: d\nstart: n\nnodes:\n  n: {kind: python, function: 'beside_hooks:good'}\nedges: {n: end}\n"
    (graphs / "mine.yaml").write_text(text, encoding="utf-8")
    assert Library(graph_path=[graphs]).get("mine").spec.name == "mine"
    (graphs / "mine.yaml").write_text(text.replace("good", "bare"), encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"mine\.yaml:4:\d+: key 'nodes\.n\.function': python node 'beside_hooks:bare'"
    ):
        Library(graph_path=[graphs]).get("mine")


def test_every_shipped_graph_is_sound_in_every_variant() -> None:
    for variant in ("", "tiny"):
        library = Library()
        for name in ("solver", "qa_generator", "aggregator", "value_guided_search", "dedup", "quality_filter"):
            assert library.get(name, variant=variant).spec == load_spec(name, variant=variant)
