"""Drawings of graphs: whole drawings of a small one, and what must hold for any."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest

from graphs.diagram import draw_text, mermaid, write_png
from graphs.diagram.layout import Layout, Wire, lay_out
from graphs.diagram.sketch import Arrow, Box, Sketch, sketch
from graphs.schema import BUILT_IN, END, GraphSpec, load_spec, parse_spec
from store.errors import UsageError

SOLVER = """name: small
description: A solver that verifies.
role: solver
tools: {search: {k: 3}}
plugins: [{kind: step_budget, steps: 4}]
start: think
nodes:
  search: {kind: tool, tool: search}
  think: {kind: policy, prompt: solver}
  verify: {kind: policy, prompt: solver, instruction: verify}
edges:
  think: {search: search, malformed: search, answer: verify, exhausted: end}
  search: think
  verify: {search: search, malformed: search, answer: end, exhausted: end}
"""
DRAWN = """
                   ●
                   │
                   ▼
┌────────────────────────────────────┐
│ think                              │◀────────────────────────┐
│ policy: solver                     ├── answer ───────────────┼──┐
│                                    ├── exhausted ────────────┼──┼──┐
└──────────────────┬─────────────────┘                         │  │  │
                   │ search, malformed                         │  │  │
                   ▼                                           │  │  │
┌────────────────────────────────────┐                         │  │  │
│ search                             │◀─────────────────────┐  │  │  │
│ tool: search                       ├──────────────────────┼──┘  │  │
└────────────────────────────────────┘                      │     │  │
                                                            │     │  │
┌────────────────────────────────────┐                      │     │  │
│ verify                             │◀─────────────────────┼─────┘  │
│ policy: solver, instruction verify ├── search, malformed ─┘        │
└──────────────────┬─────────────────┘                               │
                   │ answer, exhausted                               │
                   ▼                                                 │
                   ◉ end ◀───────────────────────────────────────────┘
"""
MERMAID = """flowchart TD
  start_(( )) --> think_
  think_(["<b>think</b><br/>policy: solver"])
  search_[["<b>search</b><br/>tool: search"]]
  verify_(["<b>verify</b><br/>policy: solver, instruction verify"])
  end_(((end)))
  think_ -->|"search, malformed"| search_
  think_ -->|"answer"| verify_
  think_ -->|"exhausted"| end_
  search_ --> think_
  verify_ -->|"search, malformed"| search_
  verify_ -->|"answer, exhausted"| end_"""


def small() -> GraphSpec:
    return parse_spec(SOLVER, source="small.yaml")


def test_a_drawing_in_full() -> None:
    assert draw_text(small()) == DRAWN.strip("\n")


def test_plain_ascii_says_the_same() -> None:
    text = draw_text(small(), ascii_only=True)
    assert text.isascii() and [len(line) for line in text.splitlines()] == [
        len(line) for line in draw_text(small()).splitlines()
    ]
    assert "| policy: solver                     +-- answer" in text and "@ end <----" in text


def test_mermaid_in_full() -> None:
    assert mermaid(small()) == MERMAID


def test_a_route_that_nothing_takes_is_not_drawn() -> None:
    spec = parse_spec(
        SOLVER.replace("  search: think\n", "  search: {ok: think, compress: end}\n"), source="small.yaml"
    )
    assert "compress" not in draw_text(spec) + mermaid(spec)


def test_a_node_that_waits_for_another_strategy_is_marked() -> None:
    assert "│ vote (not used) " in draw_text(load_spec("aggregator"))
    voting = load_spec("aggregator", changes={"nodes": {"attempts": {"strategy": "majority"}}})
    assert "│ vote  " in draw_text(voting)


@pytest.mark.parametrize("name", sorted(file.stem for file in BUILT_IN.glob("*.yaml")))
def test_every_built_in_graph_is_drawn(name: str) -> None:
    spec = load_spec(name)
    drawn = draw_text(spec)
    for node in spec.nodes:
        assert f"│ {node} " in drawn and re.search(rf"<b>{node}( \(not used\))?</b>", mermaid(spec))


def random_sketch(seed: int) -> Sketch:
    """Up to nine boxes, each with arrows to several others, itself and the end among them."""
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(1, 9))]
    boxes = tuple(Box(name, "tool", (name, "x" * chance.randint(1, 30))) for name in names)
    ends = [(name, target) for name in names for target in chance.sample([*names, END], chance.randint(1, len(names)))]
    return Sketch("random", boxes, tuple(Arrow(s, t, chance.choice(["", "ok", f"from {s}"])) for s, t in ends))


@pytest.mark.parametrize("seed", range(40))
def test_no_two_targets_share_a_wire_and_no_letter_covers_another(seed: int) -> None:
    drawn = random_sketch(seed)
    layout = lay_out(drawn)
    assert len(layout.wires) == len(drawn.arrows) + 1  # and the one from the start
    lanes = [
        (wire.points[1][1], range(*sorted(p[0] for p in wire.points[1:3])), wire.points[-1]) for wire in bent(layout)
    ]
    for column, rows, target in lanes:
        for other_column, other_rows, other_target in lanes:
            if column == other_column and target != other_target:
                assert rows.stop < other_rows.start or other_rows.stop < rows.start
    for wire in (wire for wire in bent(layout) if wire.label):
        assert wire.at[1] + len(wire.label) + 1 < wire.points[1][1]  # the label ends before the lane


def bent(layout: Layout) -> list[Wire]:
    return [wire for wire in layout.wires if len(wire.points) > 2]


def test_png_is_drawn_without_a_network(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    write_png(small(), tmp_path / "small.png")
    with image.open(tmp_path / "small.png") as drawn:
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 24)}
        assert drawn.format == "PNG" and drawn.width > 800 and drawn.height > 800
    # Boxes of the policy are blue, those of tools green.
    assert {(0xDD, 0xF4, 0xFF), (0xDA, 0xFB, 0xE1), (255, 255, 255)} <= colours


def test_png_without_pillow_names_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'karl-agents[png]'")):
        write_png(small(), tmp_path / "small.png")


def test_png_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(UsageError, match=r"nowhere/small\.png: can't be written"):
        write_png(small(), tmp_path / "nowhere" / "small.png")


def test_a_sketch_has_the_start_first() -> None:
    assert [box.name for box in sketch(small()).boxes] == ["think", "search", "verify"]
