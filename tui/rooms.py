"""The rooms of the application, in the order of their keys.

A room's screen is imported when it is first entered, or before by `import_rooms`, while the user looks at another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from textual.screen import Screen

BREATH = 0.02  # seconds


class Room(NamedTuple):
    """`screen`: module:class under tui.screens. `needs`: what its first reading would import."""

    key: str
    name: str
    title: str
    does: str
    screen: str
    needs: tuple[str, ...] = ()

    def make(self) -> Screen[None]:
        module, _, name = self.screen.partition(":")
        return getattr(import_module(f"tui.screens.{module}"), name)()


ROOMS = (
    Room("1", "home", "Home", "runs, corpora, checkpoints, health", "home:HomeScreen"),
    Room("2", "launch", "Launch", "start a run, or the demo", "launch:LaunchScreen"),
    Room("3", "run", "Run", "one run: funnel, training, evaluation", "run:RunScreen"),
    Room(
        "4",
        "traces",
        "Traces",
        "rollouts: filter, read step by step, compare",
        "traces:TracesScreen",
        needs=("evals.behaviour",),
    ),
    Room(
        "5",
        "graphs",
        "Graphs",
        "graphs and prompts: drawn, edited, checked, tried",
        "graphs:GraphsScreen",
        needs=("karl.catalog", "graphs.diagram"),
    ),
    Room("6", "ask", "Ask", "questions to a checkpoint, or to two with a vote", "ask:AskScreen"),
    Room(
        "7",
        "evals",
        "Evals",
        "scores, pairs, Pareto, max@k, behaviour, failures",
        "evals:EvalsScreen",
        needs=("evals.report", "evals.tasks", "evals.report.joined", "karl.control.evaluations.arms"),
    ),
)


def import_rooms(*, cancelled: Callable[[], bool]) -> None:
    """In a thread: one module after another, with time for the screen between them."""
    for name in (name for room in ROOMS for name in (f"tui.screens.{room.screen.partition(':')[0]}", *room.needs)):
        if cancelled():
            return
        import_module(name)
        time.sleep(BREATH)
