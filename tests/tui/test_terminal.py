"""In a real terminal, as a person would: launch the demo, watch it to its end, read a trace, edit, ask, quit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.karl.kit import command, environment, spawn
from tests.tui.terminal import Terminal, needs_tmux, terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_tmux]
# Small enough to end in a minute; the rest as the demo has it.
SMALL = {
    "iterations": "1",
    "generator runs": "40",
    "max tasks": "16",
    "group size": "4",
    "held out": "11",
    "eval samples": "2",
}


def fill(shown: Terminal, name: str, value: str) -> None:
    """By Tab to the setting, until its help says so; then type."""
    for _ in range(40):
        if helped(shown).startswith(f"{name}:"):
            shown.type(value)
            return
        before = helped(shown)
        shown.press("Tab")
        shown.wait(lambda before=before: helped(shown) != before, patience=5.0)
    raise AssertionError(f"the setting {name} was never reached:\n" + "\n".join(shown.lines()))


def helped(shown: Terminal) -> str:
    """What the setting in hand is about: the line above what it all comes to."""
    lines = shown.lines()
    place = next((n for n, line in enumerate(lines) if "what it comes to" in line), 1)
    return lines[place - 1].strip()


def launch_the_demo(shown: Terminal) -> None:
    shown.until("[1 Home]", "karl demo")
    shown.press("2")
    shown.until("[2 Launch]", "the demo: two generated companies", "ready: ctrl+s starts it")
    for name, value in SMALL.items():
        fill(shown, name, value)
    shown.until("eval_samples=2", "ready: ctrl+s starts it")
    shown.press("C-s")
    shown.until("[3 Run]", "demo-train-0-1: running", patience=120)
    shown.until("demo-train-0-1: done", patience=400)


def read_a_trace(shown: Terminal) -> None:
    shown.press("4")
    shown.until("[4 Traces]", "rollouts, the newest first")
    shown.press("/")
    shown.until("━filter")  # it has the focus
    shown.type("score>=0.5")
    shown.press("Enter")
    shown.until("under the filter")
    shown.press("Enter")
    shown.until("steps:", "gold", "reference answer", "query")
    # A key right behind Escape would be Alt and that key.
    shown.press("Escape")
    shown.until("rollouts, the newest first")


def edit_a_prompt(shown: Terminal) -> None:
    shown.press("5")
    shown.until("[5 Graphs]", "graphs and prompts")
    shown.press("/")
    shown.until_no_more("━graphs and prompts")  # the list has lost the focus
    shown.type("prompt solver")
    shown.until("prompt solver")
    shown.press("Enter")
    shown.until("━graphs and prompts", "─solver")
    shown.press("e")
    shown.until("━prompts/solver.md", "line 1, column 1")
    shown.press("C-End")
    # Textual hands a key with a meaning on and a letter not: letters right behind it would come first.
    shown.until_no_more("line 1, column 1")
    shown.type("Be brief, please.")
    shown.until("Be brief, please.")
    shown.press("C-s")
    shown.until("saved")
    shown.press("Escape")
    shown.until_no_more("━prompts/solver.md")
    shown.press("Escape")
    shown.until("[5 Graphs]", "graphs and prompts")


def ask_a_question(shown: Terminal, question: str) -> None:
    shown.press("6")
    shown.until("[6 Ask]", "━question")
    shown.type(question)
    shown.press("Enter")
    shown.until(question, "searches", patience=120)
    shown.press("Escape")
    shown.wait(lambda: "━question" not in "".join(shown.lines()), patience=10.0)


def test_a_day_with_it(tmp_path: Path) -> None:
    assert spawn("init", cwd=tmp_path).code == 0
    with terminal(command(), cwd=tmp_path, socket=tmp_path / "tmux", environment=environment()) as shown:
        launch_the_demo(shown)
        read_a_trace(shown)
        edit_a_prompt(shown)
        assert (tmp_path / "prompts" / "solver.md").read_text(encoding="utf-8").rstrip().endswith("Be brief, please.")
        ask_a_question(shown, "where does the team work ?")
        shown.press("1")
        shown.until("[1 Home]", "demo-train-0-1")
        shown.press("q")
        shown.until_gone()
        assert shown.exit_code() == 0
