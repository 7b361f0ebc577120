"""Python nodes: whose code runs, what its hash covers, and where it leads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphs.functions import function_hashes
from graphs.library import Library
from graphs.loading import load_runner
from graphs.schema import parse_spec
from graphs.state import RolloutInputs
from graphs.toolbox import build_toolbox
from store.errors import UsageError
from store.types import Purpose, RolloutRecord, RolloutStatus
from tests.harness_kit import NOTES, ListSearcher, text_policy

GRAPH = """extends: solver
nodes:
  tidy: {kind: python, function: "hooks_of_two:tidy"}
edges:
  think: {answer: tidy}
  tidy: end
"""
HOOKS = """
from dataclasses import dataclass, replace
from typing import Any
from graphs.state import GraphState
from words_of_two import WORD
async def tidy(state: GraphState) -> dict[str, Any]:
    state.rollout.answer = replace(state.rollout.answer, text=WORD)
    return {}
"""


def project(folder: Path, word: str) -> Path:
    (folder / "graphs").mkdir(parents=True)
    (folder / "graphs" / "tidy.yaml").write_text(GRAPH, encoding="utf-8")
    (folder / "hooks_of_two.py").write_text(HOOKS, encoding="utf-8")
    (folder / "words_of_two.py").write_text(f"WORD = '{word}'\n", encoding="utf-8")
    return folder


async def run(folder: Path, library: Library | None = None, *, graph: str = "tidy") -> RolloutRecord:
    policy = text_policy("<answer>oslo</answer>", "<answer>oslo</answer>", variant="")
    runner = load_runner(
        graph, policy=policy, searcher=ListSearcher(NOTES), graph_path=[folder / "graphs"], library=library
    )
    return await runner.run(RolloutInputs(question="where?"), key="r", purpose=Purpose.ASK, seed=1)


def sha256(record: RolloutRecord) -> str:
    return record.provenance.prompt_sha256["hooks_of_two:tidy"]


async def test_two_projects_with_modules_of_the_same_names_run_their_own(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one", "first"), project(tmp_path / "two", "other")
    records = [await run(folder) for folder in (one, two, one)]
    assert [record.answer for record in records] == ["first", "other", "first"]
    assert sha256(records[0]) == sha256(records[2]) != sha256(records[1])
    assert not {"hooks_of_two", "words_of_two"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("file", "old", "new"), [("words_of_two.py", "first", "later"), ("hooks_of_two.py", "{}", "{ }")]
)
async def test_an_edit_of_the_module_or_of_its_helper_shows_in_the_hash(
    tmp_path: Path, file: str, old: str, new: str
) -> None:
    folder = project(tmp_path / "one", "first")
    before = await run(folder)
    text = (folder / file).read_text(encoding="utf-8")
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    after = await run(folder)
    assert sha256(before) != sha256(after)
    assert after.answer == ("later" if new == "later" else "first")


async def test_a_library_holds_the_function_that_it_read(tmp_path: Path) -> None:
    folder = project(tmp_path / "one", "first")
    library = Library(graph_path=[folder / "graphs"])
    library.get("tidy")
    (folder / "words_of_two.py").write_text("WORD = 'later'\n", encoding="utf-8")
    assert (await run(folder, library)).answer == "first"
    assert library.reload() == ["tidy"]
    assert (await run(folder, library)).answer == "later"


def test_the_same_sources_are_imported_once(tmp_path: Path) -> None:
    folder = project(tmp_path / "one", "first")
    specs = [Library(graph_path=[folder / "graphs"]).get("tidy").spec for _ in range(2)]
    one, two = (next(iter(spec.held.referred.values())) for spec in specs)
    assert one.value is two.value


LAZY = """
from typing import Any
from graphs.state import GraphState
async def tidy(state: GraphState) -> dict[str, Any]:
    IMPORT
    return {}
"""


@pytest.mark.parametrize("statement", ["from words_of_two import WORD", "import words_of_two", "import kit.words"])
@pytest.mark.parametrize("where", ["hooks_of_two", "helpers_of_two"])
def test_an_import_inside_a_function_of_what_lies_beside_is_refused(tmp_path: Path, statement: str, where: str) -> None:
    """The function itself, or one of a module that it imports."""
    folder = project(tmp_path / "one", "first")
    (folder / "kit").mkdir()
    (folder / "kit" / "words.py").write_text("WORD = 'kit'", encoding="utf-8")
    (folder / "helpers_of_two.py").write_text(LAZY.replace("IMPORT", "pass"), encoding="utf-8")
    (folder / "hooks_of_two.py").write_text("from helpers_of_two import tidy as tidy\n", encoding="utf-8")
    (folder / f"{where}.py").write_text(LAZY.replace("IMPORT", statement), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"tidy\.yaml:3:.*{where}\.py:5: '.*' lies beside .*at the top of the file"):
        Library(graph_path=[folder / "graphs"]).get("tidy")


async def test_a_relative_import_inside_a_function_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "one", "first")
    (folder / "hooks_of_two.py").unlink()
    package = folder / "hooks_of_two"
    package.mkdir()
    (package / "__init__.py").write_text(LAZY.replace("IMPORT", "from .words import WORD"), encoding="utf-8")
    (package / "words.py").write_text("WORD = 'x'", encoding="utf-8")
    with pytest.raises(UsageError, match=r"__init__\.py:5: '\.words' lies beside"):
        Library(graph_path=[folder / "graphs"]).get("tidy")


async def test_a_function_may_import_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "one", "first")
    monkeypatch.chdir(folder)
    (folder / "time.py").write_text("raise RuntimeError", encoding="utf-8")  # the built-in one comes first
    statement = "import json, time; from graphs.state import cut; from none_such import x as y"
    lazy = LAZY.replace("IMPORT", f"if not state: {statement}")
    (folder / "hooks_of_two.py").write_text(lazy, encoding="utf-8")
    assert (await run(folder)).answer == "oslo"


GATED = """extends: solver
nodes:
  gate: {kind: python, function: "gate_hooks:gate", outcomes: [ok, retry]}
  again: {kind: policy, prompt: solver, instruction: solver}
edges:
  think: {answer: gate}
  gate: {ok: end, retry: again}
  again: {search: search, malformed: search, answer: end, exhausted: end}
"""
GATE = """
from typing import Any
from graphs.state import GraphState
async def gate(state: GraphState) -> dict[str, Any]:
    return {"outcome": "OUTCOME"}
"""


@pytest.mark.parametrize(("outcome", "turns"), [("ok", 1), ("retry", 2)])
async def test_a_python_node_leads_on_by_its_outcome(tmp_path: Path, outcome: str, turns: int) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "gated.yaml").write_text(GATED, encoding="utf-8")
    (tmp_path / "gate_hooks.py").write_text(GATE.replace("OUTCOME", outcome), encoding="utf-8")
    record = await run(tmp_path, graph="gated")
    assert record.status is RolloutStatus.FINISHED and len(record.steps) == turns


ENDED = "graph gated: node 'gate' (gate_hooks:gate)"
MENDS = "return one of them as 'outcome', or add this one to the node's 'outcomes'"


@pytest.mark.parametrize("outcomes", [", outcomes: [ok, retry]", ""])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('return {"outcome": "rety"}', "ended with 'rety'; its outcomes: OUTCOMES; " + MENDS),
        (
            'return {"outcom": "retry"}',
            "returned the key 'outcom'; the state has rollout, outcome, values; did you mean 'outcome'?",
        ),
        ('return {"foo": 1}', "returned the key 'foo'; the state has rollout, outcome, values"),
        ("return 7", "returned int; return a dict, {} at least"),
        ('raise ValueError("kaput")', ": ValueError: kaput"),
    ],
)
async def test_what_a_function_does_wrong_is_told_with_node_function_and_mend(
    tmp_path: Path, body: str, told: str, outcomes: str
) -> None:
    (tmp_path / "graphs").mkdir()
    graph = (
        GATED if outcomes else GATED.replace(", outcomes: [ok, retry]", "").replace("ok: end, retry: again", "ok: end")
    )
    graph = graph if outcomes else "\n".join(line for line in graph.splitlines() if "again:" not in line)
    (tmp_path / "graphs" / "gated.yaml").write_text(graph, encoding="utf-8")
    (tmp_path / "gate_hooks.py").write_text(GATE.replace('return {"outcome": "OUTCOME"}', body), encoding="utf-8")
    record = await run(tmp_path, graph="gated")
    assert record.failure is not None
    listed = "ok, retry; did you mean 'retry'?" if outcomes else "ok"
    assert record.failure.reason == f"{ENDED}{'' if told.startswith(':') else ' '}{told.replace('OUTCOMES', listed)}"


def test_a_route_that_is_not_listed_names_the_key_to_add_it_to() -> None:
    with pytest.raises(
        UsageError, match=r"g\.yaml:7:\d+: .*never ends with 'retry'; .*list it in 'nodes\.gate\.outcom"
    ):
        parse_spec(GATED.replace(", outcomes: [ok, retry]", ""), source="g.yaml")


def test_every_listed_outcome_needs_a_route() -> None:
    with pytest.raises(UsageError, match="no route for the outcome 'retry' of a python node"):
        parse_spec(GATED.replace(", retry: again", ""), source="g.yaml")


TOOLS = """
def percent(part: float, whole: float) -> str:
    \"\"\"How many percent `part` is of `whole`.\"\"\"
    return f"{100 * part / whole:.0f} percent"

percentage = 7
"""


def tool_project(folder: Path, name: str = "percent") -> Path:
    (folder / "graphs").mkdir(parents=True)
    text = f'extends: solver\ntools:\n  named: ["tools_of_two:{name}"]\n'
    (folder / "graphs" / "counting.yaml").write_text(text, encoding="utf-8")
    (folder / "tools_of_two.py").write_text(TOOLS, encoding="utf-8")
    return folder / "graphs"


def test_a_named_tool_lies_beside_the_graph_and_its_source_counts(tmp_path: Path) -> None:
    path = tool_project(tmp_path)
    hashes = list[str]()
    for text in (TOOLS, TOOLS.replace(".0f", ".1f")):
        (tmp_path / "tools_of_two.py").write_text(text, encoding="utf-8")
        spec = Library(graph_path=[path]).get("counting").spec
        tool = build_toolbox(spec, search=None).tools["percent"]
        assert tool.description.startswith("How many percent")
        hashes.append(function_hashes(spec)["tools_of_two:percent"])
    assert hashes[0] != hashes[1]
    assert "tools_of_two" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("percnt", r"module 'tools_of_two' has no attribute 'percnt'; did you mean 'percent'"),
        ("percentage", r"expected a function or a LangChain tool, found int"),
    ],
)
def test_a_named_tool_that_is_none_is_told_with_its_place(tmp_path: Path, name: str, message: str) -> None:
    path = tool_project(tmp_path, name)
    with pytest.raises(UsageError, match=rf"counting\.yaml:3:11: key 'tools\.named\.0': tool .*{message}"):
        Library(graph_path=[path]).get("counting")
