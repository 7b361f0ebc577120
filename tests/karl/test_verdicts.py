"""Judgements name the graph that asked for them, and the sources of its Python functions."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agents.judges import Quality
from graphs.dedup import Decision
from graphs.schema import load_spec
from karl.verdicts import duplicate_judgement, quality_judgement
from store.models import Task

GRAPH = """extends: quality_filter
start: note
nodes:
  note: {kind: python, function: "quality_hooks:note"}
edges:
  note: decide
"""
HOOKS = """from typing import Any
from graphs.state import GraphState
async def note(state: GraphState) -> dict[str, Any]:
    return {}
"""
TASK = Task(id=1, key="t", run_id=1, iteration=1, corpus_id=1, question="who?", answer="mira")


def test_a_filters_own_function_is_on_its_judgements(tmp_path: Path) -> None:
    (tmp_path / "noting.yaml").write_text(GRAPH, encoding="utf-8")
    found: list[dict[str, str]] = []
    for source in (HOOKS, HOOKS.replace("{}", "{ }")):
        (tmp_path / "quality_hooks.py").write_text(source, encoding="utf-8")
        row = quality_judgement(TASK, Quality(True, ["sound"], "rule"), load_spec("noting", path=[tmp_path]))
        assert row.graph == "noting"
        found.append(row.function_sha256)
        sha256 = hashlib.sha256(source.encode()).hexdigest()
        assert found[-1] == {"quality_hooks:note": hashlib.sha256(sha256.encode()).hexdigest()}
    assert found[0] != found[1]


def test_a_graph_without_functions_leaves_none() -> None:
    row = quality_judgement(TASK, Quality(True, ["sound"], "rule"), load_spec("quality_filter"))
    assert (row.graph, row.function_sha256) == ("quality_filter", {})


def test_the_shipped_dedup_names_its_own_function() -> None:
    row = duplicate_judgement(TASK, Decision(False, "exact", "who?"), load_spec("dedup"))
    assert row.function_sha256.keys() == {"graphs.dedup:drop_exact"}
