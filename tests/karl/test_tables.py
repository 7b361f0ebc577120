"""The comparison table is readable at any width: no cell is cut, no word broken; a line a row where it is piped."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from karl.tables import print_summary


def figure(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


def row(arm: str, *, mean: float, temperature: float = 1.0) -> dict[str, Any]:
    gain = {} if arm == "base" else {"pass@1 over base": figure(mean - 0.4)}
    return {
        "arm": arm,
        "iteration": 0,
        "temperature": temperature,
        "pass@1": figure(mean),
        "max@8": figure(mean + 0.2),
        "searches": figure(1.5),
        "sampled_tokens": figure(123.4),
        "unfinished": 0.125,
        "questions": 150,
        "attempts": 1200,
        **gain,
    }


SUMMARY: dict[str, Any] = {
    "run": "notes-1",
    "iterations": [
        {
            "number": 1,
            "counts": {"proposed": 9, "kept": 4},
            "seconds": {"solve": 2.0},
            "dropped": {"duplicate": 5},
            "reasons": {"duplicate": {"same as [bold]Who leads?[/bold] [x]": 5}},
        }
    ],
    "evaluation": [
        row("base", mean=0.4),
        row("base@0.5", mean=0.5, temperature=0.5),
        row("base@0.3", mean=0.45, temperature=0.3),
        row("oapl-1", mean=0.6),
        row("sft-1", mean=0.55),
        row("oapl-1@0.5", mean=0.58, temperature=0.5),
    ],
    "training": {"oapl-1": {"drift_mean": 1e-7, "drift_max": 1e-5}},
    "broken_edits": 0,
    "failures": {"engine": 3},
}


def drawn(*, width: int, terminal: bool) -> list[str]:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system=None,
        highlight=False,
        legacy_windows=False,
    )
    print_summary(SUMMARY, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (66, {"pass@1", "vs base", "max@8"}),
        (80, {"pass@1", "vs base", "max@8", "searches"}),
        (120, {"pass@1", "vs base", "max@8", "searches", "tokens", "unfinished"}),
        (200, {"pass@1", "vs base", "max@8", "searches", "tokens", "unfinished"}),
    ],
)
def test_nothing_is_cut_on_a_terminal(width: int, columns: set[str]):
    lines = drawn(width=width, terminal=True)
    table = [line for line in lines if line[:1] in "┏┃┡│├└"]
    assert max(map(len, table)) <= width
    assert not any("…" in line for line in lines)
    header = next(line for line in table if "policy" in line)
    assert {cell.strip() for cell in header.strip("┃").split("┃")} - {"policy"} == columns
    text = "\n".join(table)
    for said in ("0.600", "0.500..0.700", "+0.200", "+0.100..+0.300", "0.800", "base, T 0.5"):
        assert said in text


def test_each_policy_is_shown_again_at_its_best_temperature_only():
    labels = [line.split("│")[1].strip() for line in drawn(width=200, terminal=True) if line.startswith("│")]
    assert labels == ["base", "OAPL 1", "SFT 1", "base, T 0.5", "OAPL 1"]  # OAPL is best at T = 1


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_pipe_gets_one_plain_line_a_row(width: int):
    lines = drawn(width=width, terminal=False)
    assert "\x1b" not in "".join(lines)
    (line,) = [line for line in lines if line.split()[:2] == ["SFT", "1"]]
    assert line.split() == [
        "SFT", "1", "0.550", "(0.450..0.650)", "+0.150", "(+0.050..+0.250)", "0.750", "(0.650..0.850)", "1.50", "123",
        "12.5%",
    ]  # fmt: skip


def test_reasons_are_shown_as_they_are():
    assert "  5 duplicate: same as [bold]Who leads?[/bold] [x] (5)" in drawn(width=200, terminal=False)
