"""Bars, numbers and the funnel's lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from store.types import Stage
from tui.reading.figures import Figure
from tui.reading.questions import IterationView
from tui.text import bar, counted, interval, local_time, number
from tui.widgets.funnel import EMPTY, funnel_lines

STAGES = ("proposed", "well_formed", "deduplicated", "rolled_out", "mixed", "kept")


def iteration(n: int, counts: list[int], *, done: bool = True) -> IterationView:
    reached: dict[str, int] = dict(zip(STAGES, counts, strict=True))
    return IterationView(number=n, stage=Stage.DEDUPLICATE, done=done, seconds=1234.4, counts=reached, fates={})


@pytest.mark.parametrize(
    ("value", "full", "drawn"),
    [(8, 8, "█" * 4), (4, 8, "██"), (5, 8, "██▌"), (1, 1000, "▏"), (0, 8, ""), (9, 8, "█" * 4), (1, 0, "")],
)
def test_bars_are_exact_to_an_eighth(value: float, full: float, drawn: str):
    assert bar(value, full=full, width=4) == drawn


def test_numbers():
    assert [number(value) for value in (0.07056, -4.2205, 1234.5, -2.38e-7, 0.0)] == [
        "0.0706",
        "-4.22",
        "1.23e+03",
        "-2e-07",
        "0",
    ]
    assert interval(Figure(0.66875, 0.619, 0.7208)) == "0.669 (0.619..0.721)"
    assert interval(None) == ""
    assert counted({"tool": 1, "all_wrong": 1200, "parse": 0}) == "1,200 all wrong, 1 tool"


def test_times_without_a_zone_are_utc():
    moment = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    assert local_time(moment.replace(tzinfo=None)) == local_time(moment) == f"{moment.astimezone():%Y-%m-%d %H:%M}"


def test_iterations_share_one_scale():
    lines = funnel_lines([iteration(1, [100, 80, 50, 50, 20, 10]), iteration(2, [50, 0, 0, 0, 0, 0])], width=78)
    first, second = lines[1].split()[2], lines[1].split()[4]
    assert (lines[1].split()[1], lines[1].split()[3]) == ("100", "50")
    assert len(first) == 2 * len(second) == 24
    assert lines[2].split()[-1] == "0"  # nothing has no bar


@pytest.mark.parametrize(("width", "numbers"), [(78, ["4", "5", "6"]), (40, ["6"]), (20, ["6"]), (140, list("123456"))])
def test_the_newest_iterations_that_fit_are_shown(width: int, numbers: list[str]):
    views = [iteration(n, [10**6, 5, 4, 3, 2, 1], done=n < 6) for n in range(1, 7)]
    lines = funnel_lines(views, width=width)
    assert [word for word in lines[0].split() if word in list("123456")] == numbers
    if width >= 34:
        assert max(map(len, lines)) <= width
    assert lines[1].count("1,000,000") == len(numbers)


def test_no_iteration_yet():
    assert funnel_lines([], width=80) == [EMPTY]
