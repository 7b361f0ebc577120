"""What `validate_graph` warns of beside what `karl graph validate` is tested for."""

from __future__ import annotations

from pathlib import Path

from karl.settings import Settings
from karl.validation import validate_graph

GATED = """extends: solver
overrides:
  tiny:
    plugins:
      - {kind: step_budget, steps: 9}
      - {kind: compression, trigger_tokens: 900, summary_tokens: 90}
      - {kind: tool_gate, allow: [search, serch]}
"""


def test_a_gate_of_an_override_is_held_against_the_tools(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GATED, encoding="utf-8")
    (found,) = validate_graph(file, settings=Settings(home=tmp_path, graph_path=[tmp_path]))
    assert (found.level, found.line) == ("warning", 7)
    assert "the graph has no tool 'serch'; it has: search; did you mean 'search'?" in found.message


def test_a_byte_order_mark_is_no_finding(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: solver\n", encoding="utf-8-sig")
    assert validate_graph(file, settings=Settings(home=tmp_path, graph_path=[tmp_path])) == []
