"""The rooms of the application, in the order of their keys. A room's screen is imported when it is first entered."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from textual.screen import Screen


class Room(NamedTuple):
    """`screen`: module:class under tui.screens."""

    key: str
    name: str
    title: str
    does: str
    screen: str

    def make(self) -> Screen[None]:
        module, _, name = self.screen.partition(":")
        return getattr(import_module(f"tui.screens.{module}"), name)()


ROOMS = (
    Room("1", "home", "Home", "runs, corpora, checkpoints, health", "home:HomeScreen"),
    Room("2", "launch", "Launch", "start a run, or the demo", "launch:LaunchScreen"),
    Room("3", "run", "Run", "one run: funnel, training, evaluation", "run:RunScreen"),
    Room("4", "traces", "Traces", "rollouts: filter, read step by step, compare", "traces:TracesScreen"),
    Room("5", "graphs", "Graphs", "graphs and prompts: drawn, edited, checked, tried", "graphs:GraphsScreen"),
    Room("6", "ask", "Ask", "questions to a checkpoint, or to two with a vote", "ask:AskScreen"),
    Room("7", "evals", "Evals", "scores, pairs, Pareto, max@k, behaviour, failures", "evals:EvalsScreen"),
)
