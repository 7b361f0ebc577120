"""The graph language: overrides, hashes, and one test per error message."""

from pathlib import Path

import pytest

from graphs.functions import import_function
from graphs.prompting import load_prompts
from graphs.schema import load_spec, parse_spec, read_spec
from store.errors import UsageError

# A copy: the messages' lines and columns below are its own.
SOLVER = """name: solver
description: Searches until it can answer one question.
role: solver
tools:
  search: {k: 20, max_chars: 4000}
plugins:
  - {kind: step_budget, steps: 200}
  - {kind: compression, trigger_tokens: 24000, summary_tokens: 1500}
sampling: {max_tokens: 2048, temperature: 1.0}
start: think
nodes:
  think: {kind: policy, prompt: solver}
  search: {kind: tool, tool: search}
  compress: {kind: compress, prompt: compressor}
edges:
  think: {search: search, malformed: search, answer: end, exhausted: end}
  search: {ok: think, compress: compress}
  compress: think
overrides:
  # Laid over the graph, mapping by mapping; a list replaces the whole list.
  tiny:
    tools:
      search: {k: 3, max_chars: 240}
    plugins:
      - {kind: step_budget, steps: 6}
      - {kind: compression, trigger_tokens: 220, summary_tokens: 64}
    sampling: {max_tokens: 48}
"""
GRAPHS = [
    "aggregator",
    "dedup",
    "qa_generator",
    "quality_filter",
    "solver",
    "value_guided_search",
    "value_guided_solver",
]


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("variant", ["", "tiny"])
def test_every_built_in_graph_loads_with_its_prompts(name: str, variant: str) -> None:
    spec = load_spec(name, variant=variant)
    assert spec.name == name
    load_prompts(spec, variant=variant, path=[])


def test_overrides_of_a_variant_are_laid_over_the_graph() -> None:
    full, tiny = parse_spec(SOLVER, source="f"), parse_spec(SOLVER, source="f", variant="tiny")
    assert full.tools.search is not None and tiny.tools.search is not None
    assert (full.tools.search.k, tiny.tools.search.k, tiny.tools.search.max_chars) == (20, 3, 240)
    assert [plugin.kind for plugin in tiny.plugins] == ["step_budget", "compression"]
    assert [plugin.steps for plugin in (full.plugins[0], tiny.plugins[0]) if plugin.kind == "step_budget"] == [200, 6]
    assert tiny.nodes == full.nodes and tiny.edges == full.edges and tiny.sampling.temperature == 1.0


def test_hash_is_of_the_meaning_not_of_the_text() -> None:
    spec = parse_spec(SOLVER, source="f")
    assert parse_spec("# a comment\n" + SOLVER, source="f").sha256 == spec.sha256
    assert parse_spec(SOLVER.replace("k: 20", "k: 21"), source="f").sha256 != spec.sha256
    assert parse_spec(SOLVER.replace("k: 3", "k: 4"), source="f").sha256 == spec.sha256
    assert parse_spec(SOLVER, source="f", variant="tiny").sha256 != spec.sha256
    assert parse_spec(SOLVER, source="f", variant="unheard-of").sha256 == spec.sha256


def test_user_folder_shadows(tmp_path: Path) -> None:
    (tmp_path / "solver.yaml").write_text(SOLVER.replace("k: 20", "k: 7"))
    settings = load_spec("solver", path=[tmp_path]).tools.search
    assert settings is not None and settings.k == 7


BROKEN = [
    ("k: 20", "kk: 20", r"f:5:12: key 'tools.search.kk': unknown key; expected one of filters, k, .*, tokens; .*'k'"),
    ("k: 20", "k: many", r"f:5:12: key 'tools.search.k': expected a whole number, found 'many'"),
    ("k: 20", "k: 0", r"f:5:12: key 'tools.search.k': Input should be greater than or equal to 1"),
    ("k: 3,", "kk: 3,", r"f:23:16: key 'overrides.tiny.tools.search.kk': unknown key.*did you mean 'k'"),
    ("steps: 6}", "stepps: 6}", r"f:25:29: key 'overrides.tiny.plugins.0.stepps': unknown key.*mean 'steps'"),
    ("role: solver", "role: solvr", r"f:3:1: key 'role': .*found 'solvr'.*did you mean 'solver'"),
    ("role: solver\n", "", r"f:11:3: key 'nodes.think': this node needs the key 'role'"),
    ("kind: policy", "kind: polcy", r"f:12:3: key 'nodes.think': 'polcy' is no valid kind.*did you mean 'policy'"),
    ("kind: compression, t", "kind: compresion, t", r"f:8:5: key 'plugins.1': 'compresion' is no.*mean 'compression'"),
    ("prompt: compressor", "promt: compressor", r"f:14:30: key 'nodes.compress.promt': unknown key.*mean 'prompt'"),
    ("start: think", "start: thnk", r"f:10:1: key 'start': no node named 'thnk'.*did you mean 'think'"),
    ("start: think\n", "", r"f:1:1: the key 'start' is missing"),
    ("start: think", "start: think\nstart: think", r"f:11:1: key 'start': given twice; keep one"),
    ("answer: end", "answer: edn", r"f:16:46: key 'edges.think.answer': no node named 'edn'.*did you mean 'end'"),
    ("  compress: think\n", "  compres: think\n", r"f:18:3: key 'edges.compres': no node named.*mean 'compress'"),
    ("  compress: think\n", "", r"f:14:3: key 'nodes.compress': no edge leaves this node"),
    (", compress: compress}", "}", r"f:17:3: key 'edges.search': no route for the outcome 'compress' of a tool node"),
    ("answer: end", "anser: end, answer: end", r"f:16:46: key 'edges.think.anser': .* never ends with 'anser'"),
    ("compress: compress", "compress: think", r"f:14:3: key 'nodes.compress': unreachable"),
    ("tools:\n  search: {k: 20, max_chars: 4000}\n", "", r"key 'nodes.search.tool': the tool 'search' has no"),
    ("  - {kind: step_budget, steps: 200}\n", "  - {kind: step_budget, steps: 2}\n  - {kind: step_budget, steps: 3}\n",
     r"f:6:1: key 'plugins': 'step_budget' stands there 2 times"),
    ("start: think", "start: [", r"f:\d+:\d+: not valid YAML"),
    (SOLVER, "- a\n", r"f:1:1: expected keys and values, found a list"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_message_names_file_line_column_key_and_the_closest_name(old: str, new: str, message: str) -> None:
    assert old in SOLVER
    with pytest.raises(UsageError, match=message):
        parse_spec(SOLVER.replace(old, new, 1), source="f")


def test_a_loop_without_a_limit_is_refused() -> None:
    text = SOLVER.replace("  - {kind: step_budget, steps: 200}\n", "").replace(", exhausted: end", "")
    with pytest.raises(UsageError, match=r"key 'edges\.think': a loop without a limit"):
        parse_spec(text[: text.index("overrides")], source="f")


def test_a_route_may_stay_when_its_plugin_is_taken_out() -> None:
    line = "  - {kind: compression, trigger_tokens: 24000, summary_tokens: 1500}\n"
    text = SOLVER.replace(line, "", 1)
    assert [plugin.kind for plugin in parse_spec(text, source="f").plugins] == ["step_budget"]


def test_unknown_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no graph named 'solvr'.*did you mean 'solver'"):
        load_spec("solvr")
    (tmp_path / "g.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"g\.yaml:1:1: can't be read: byte 0xff is no UTF-8"):
        read_spec(tmp_path / "g.yaml")


def test_prompt_variable_that_nothing_supplies(tmp_path: Path) -> None:
    (tmp_path / "solver.md").write_text("---\ndescription: d\nvariables:\n  mood: {type: string}\n---\n{{ mood }}\n")
    with pytest.raises(
        UsageError, match=r"solver\.md: nothing supplies 'mood' in node 'think' of 'solver'; there are: answers"
    ):
        load_prompts(load_spec("solver"), variant="", path=[tmp_path])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("graphs.nowhere:run", "can't be imported: No module named 'graphs.nowhere'"),
        ("graphs.dedup:nothing", "can't be imported: .*has no attribute 'nothing'"),
        ("graphs.dedup:order_of", "not an async function; write `async def order_of"),
    ],
)
def test_python_node_must_be_an_async_function_of_the_state(reference: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        import_function(reference)
