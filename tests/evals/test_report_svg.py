"""Plots: round ticks, labels that don't touch, systems that are told apart, and well-formed drawings."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.report.svg.curves import Knot, Series, curves
from evals.report.svg.dots import Dot, Lane, dots
from evals.report.svg.frame import LINE
from evals.report.svg.marks import COLOURS, mark, shown
from evals.report.svg.scale import apart, linear, linear_ticks, log_ticks, spread_out, tick_label
from evals.report.svg.scatter import Spot, scatter

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = st.floats(-1e6, 1e6, allow_nan=False)
CHAR = 7.2  # pixels, of the widest text


def texts(drawing: str) -> list[tuple[str, float, float, float]]:
    """(words, left, right, baseline)"""
    found: list[tuple[str, float, float, float]] = []
    for one in ElementTree.fromstring(drawing).iter(f"{SVG}text"):
        words, x, wide = one.text or "", float(one.get("x", 0)), CHAR * len(one.text or "")
        shift = {"start": 0.0, "middle": wide / 2, "end": wide}[one.get("text-anchor", "start")]
        found.append((words, x - shift, x - shift + wide, float(one.get("y", 0))))
    return found


def overlapping(drawing: str) -> list[tuple[str, str]]:
    boxes = texts(drawing)
    return [
        (a[0], b[0])
        for n, a in enumerate(boxes)
        for b in boxes[n + 1 :]
        if abs(a[3] - b[3]) < 12 and a[1] < b[2] and b[1] < a[2]
    ]


def test_ticks_are_round() -> None:
    assert linear_ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert linear_ticks(0, 0.0009) == [0, 0.0002, 0.0004, 0.0006, 0.0008]
    assert log_ticks(0.01, 1) == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert log_ticks(1e-4, 10) == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1, 10])
    assert [tick_label(value) for value in (0.0002, 2.5, 1e6, 0, -20)] == ["0.0002", "2.5", "1,000,000", "0", "-20"]


@given(st.lists(FIGURES, min_size=1, max_size=20))
def test_a_scale_holds_all_its_figures_and_ends_at_ticks(values: list[float]) -> None:
    scale = linear(values, 10, 110)
    places = [scale(value) for value in values]
    assert min(places) >= 10 - 1e-6
    assert max(places) <= 110 + 1e-6
    assert 2 <= len(scale.ticks()) <= 12


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=9))
def test_what_is_far_apart_gets_a_logarithmic_scale(values: list[float]) -> None:
    scale = spread_out(values, 0, 100)
    assert scale.log == (max(values) / min(values) >= 8)
    assert all(-1e-6 <= scale(value) <= 100 + 1e-6 for value in values)
    assert not spread_out([0.0, 5.0], 0, 1).log


@given(st.lists(st.floats(0, 300), min_size=1, max_size=16))
def test_labels_keep_apart_and_in_order(wanted: list[float]) -> None:
    placed = apart(wanted, gap=17, low=0, high=300)
    ordered = sorted(placed)
    assert all(b - a >= 17 - 1e-6 for a, b in pairwise(ordered))
    assert [place for _, place in sorted(zip(wanted, placed, strict=True))] == ordered
    assert max(placed) <= max(300.0, 17.0 * (len(wanted) - 1)) + 1e-6


@pytest.mark.parametrize("systems", [1, 2, 8])
@pytest.mark.parametrize("same", [True, False])
def test_no_label_lies_over_another(systems: int, same: bool) -> None:
    score = [0.5 if same else n / 8 for n in range(systems)]
    spots = [Spot(n, f"a system of a long name {n}", score[n], 0.1, 0.9, 10.0 ** (n % 4)) for n in range(systems)]
    named = {"name": "n", "title": "t", "description": "d", "x_name": "seconds"}
    assert overlapping(scatter(spots, **named)) == []
    series = [Series(n, f"{n}" * 40, tuple(Knot(2**k, score[n], 0, 1) for k in range(5))) for n in range(systems)]
    assert overlapping(curves(series, y_name="score, %", doubling=True, **named)) == []
    rows = tuple(Dot(n, f"a system of a long name {n}", score[n], 0.1, 0.9) for n in range(systems))
    lanes = [Lane("a task with a name that is far too long to fit", rows), Lane("another", rows)]
    assert overlapping(dots(lanes, **named)) == []
    assert LINE >= 12


def test_every_system_has_a_colour_or_a_shape_of_its_own() -> None:
    assert len({mark(n, 0, 0) for n in range(3 * COLOURS)}) == 3 * COLOURS
    paths = {ElementTree.fromstring(mark(n, 0, 0)).get("d", "circle") for n in range(COLOURS)}
    assert len(paths) == COLOURS


def test_names_from_outside_are_escaped_and_long_ones_keep_both_ends() -> None:
    drawing = scatter([Spot(0, '<b>"&', 0.5, 0.4, 0.6, 1.0)], name="n", title="<t>", description="&", x_name="<x>")
    assert "<b>" not in drawing
    assert any(words.startswith('<b>"&') for words, *_ in texts(drawing))
    assert shown("qwen3-4b-with-a-long-name-v2").endswith("name-v2")
    assert len(shown("q" * 99)) == 24


def test_no_figures_no_plot() -> None:
    with pytest.raises(ValueError, match="nothing to plot"):
        scatter([], name="n", title="t", description="d", x_name="x")
