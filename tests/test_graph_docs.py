"""Every snippet of docs/graphs.md is written into one project folder and loaded; the tables name all that there is."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from jsonschema import Draft202012Validator

from graphs.diagram import draw_text
from graphs.loading import load_runner
from graphs.prompting import load_prompts
from graphs.runner import GraphRunner
from graphs.schema import BUILT_IN_PLUGINS, graph_json_schema, load_spec
from graphs.schema.nodes import NODE_KINDS
from graphs.state import RolloutInputs
from karl.settings import Settings
from karl.validation import validate_graph
from prompts.lint import lint_prompt
from prompts.output import ToolCall
from store.types import Purpose
from tests.harness_kit import NOTES, ListSearcher, text_policy

PAGE = (Path(__file__).parents[1] / "docs" / "graphs.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^( *)```(\w+) (\S+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
SNIPPETS = {match[3]: textwrap.dedent(match[4]) for match in _FENCE.finditer(PAGE)}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
GRAPHS = sorted(Path(name).stem for name in SNIPPETS if name.endswith(".yaml"))


class Project(NamedTuple):
    folder: Path
    settings: Settings

    def runner(self, graph: str, *replies: str) -> GraphRunner:
        searcher = _Sized(NOTES)
        path = {"graph_path": self.settings.graph_path, "prompt_path": self.settings.prompt_path}
        return load_runner(graph, policy=text_policy(*replies, variant=""), searcher=searcher, **path)


class _Sized(ListSearcher):
    mean_chars = 400.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, text in SNIPPETS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return Project(tmp_path, Settings(graph_path=[tmp_path / "graphs"], prompt_path=[tmp_path / "prompts"]))


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_is_valid(project: Project, name: str) -> None:
    findings = validate_graph(project.folder / "graphs" / f"{name}.yaml", settings=project.settings)
    assert [str(finding) for finding in findings if finding.level == "error"] == []


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_fits_the_schema_of_the_editors(name: str) -> None:
    errors = Draft202012Validator(graph_json_schema()).iter_errors(yaml.safe_load(SNIPPETS[f"graphs/{name}.yaml"]))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("name", sorted(Path(name).stem for name in SNIPPETS if name.endswith(".md")))
def test_every_prompt_is_clean(project: Project, name: str) -> None:
    assert [str(finding) for finding in lint_prompt(project.folder / "prompts" / f"{name}.md")] == []


# An MCP server would have to be there.
@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "with_mcp"])
def test_every_graph_of_a_policy_can_be_run(project: Project, name: str) -> None:
    spec = load_spec(name, path=project.settings.graph_path)
    if spec.role is None:
        assert load_prompts(spec, variant="", path=project.settings.prompt_path) == {}
        return
    assert project.runner(name).provenance.graph == name


def test_the_tables_name_every_kind_and_the_snippets_use_it() -> None:
    snippets = "\n".join(text for name, text in SNIPPETS.items() if name.endswith(".yaml"))
    for kind in [*NODE_KINDS, *BUILT_IN_PLUGINS]:
        assert re.search(rf"^\| \[?`{kind}`", PAGE, re.MULTILINE), f"no row in a table of docs/graphs.md for {kind!r}"
        assert f"kind: {kind}" in snippets, f"no snippet in docs/graphs.md for {kind!r}"


def test_the_drawing_is_what_karl_draws(project: Project) -> None:
    assert draw_text(load_spec("my_solver", path=project.settings.graph_path)) in PAGE


async def test_the_hook_runs(project: Project) -> None:
    runner = project.runner("tidy_solver", "<search>falcon</search>", "[1] <answer>oslo</answer>")
    record = await runner.run(RolloutInputs(question="where?"), key="r", purpose=Purpose.ASK, seed=1)
    assert record.answer == "Oslo"


async def test_the_named_tool_runs(project: Project) -> None:
    call = '```json\n{"name": "percent", "arguments": {"part": 1, "whole": 8}}\n```'
    runner = project.runner("with_tools", call, "It is 12.5%.")
    record = await runner.run(RolloutInputs(question="how much?"), key="r", purpose=Purpose.ASK, seed=1)
    assert [(step.calls[0].tool, step.calls[0].reply) for step in record.steps if step.calls] == [("percent", "12.5%")]
    assert record.answer == "It is 12.5%."


def test_the_plugin_of_ones_own_decides_about_calls(project: Project) -> None:
    points = tomllib.loads(SNIPPETS["pyproject.toml"])["project"]["entry-points"]["karl.plugins"]
    module, _, name = points["polite"].partition(":")
    plugin = getattr(import_module(module), name)
    built = plugin.build(plugin.Settings(kind="polite"), {})
    assert built.before_tool(None, ToolCall("search", {"query": "oslo please"})) is None
    assert built.before_tool(None, ToolCall("search", {"query": "oslo"})).reason == "say 'please'"


def test_the_python_of_the_page_is_fully_typed() -> None:
    for name in [name for name in SNIPPETS if name.endswith(".py")]:
        functions = [node for node in ast.walk(ast.parse(SNIPPETS[name])) if isinstance(node, FUNCTIONS)]
        bare = [f.name for f in functions for arg in f.args.args if arg.arg != "self" and arg.annotation is None]
        assert functions and bare + [f.name for f in functions if f.returns is None] == [], name


def test_links_inside_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
