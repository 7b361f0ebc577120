"""Who is asked about what: corpus, checkpoints, ways to answer. Gives back the setup, or None when it is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Select, Static

from karl.control.respondents import Player, Respondents, Setup, Way

NOBODY = ""
WAYS = {Way.SINGLE: "one answer", Way.ATTEMPTS: "N attempts, combined", Way.GUIDED: "N value-guided searches"}
MOST_ATTEMPTS = 64


class AskSetupScreen(ModalScreen[Setup | None]):
    CSS_PATH = "ask_setup.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave as it was", key_display="esc"),
        Binding("ctrl+s", "take", "Take", show=False),
    ]

    def __init__(self, offers: Respondents, setup: Setup) -> None:
        super().__init__()
        self._offers, self._setup = offers, setup

    def compose(self) -> ComposeResult:
        first, second = self._setup.players[0], self._setup.players[1] if len(self._setup.players) > 1 else None
        with VerticalScroll() as box:
            box.can_focus = False
            box.border_title = "who is asked about what"
            yield from _row("corpus", _choice("corpus", self._offers.corpora, self._setup.corpus))
            yield from _row(
                "A", _choice("a", self._offers.checkpoints, first.checkpoint), self._ways("a-way", first.way)
            )
            yield from _row(
                "B",
                self._second(second.checkpoint if second else NOBODY),
                self._ways("b-way", second.way if second else Way.SINGLE),
            )
            yield from _row("blind", self._blind())
            yield from _row("N", Input(str(self._setup.attempts), type="integer", id="attempts", compact=True))
            yield from _row("value model", self._values())
            yield Static(id="problem", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Take", id="take", variant="primary", compact=True)
                yield Button("Leave as it was", id="leave", compact=True)

    def _second(self, chosen: str) -> Select[str]:
        options = [("nobody", NOBODY), *((name, name) for name in self._offers.checkpoints)]
        return Select(options, value=chosen, allow_blank=False, id="b", compact=True)

    def _ways(self, name: str, chosen: Way) -> Select[Way]:
        ways = [way for way in WAYS if way is not Way.GUIDED or self._offers.values]
        value = chosen if chosen in ways else Way.SINGLE
        return Select([(WAYS[way], way) for way in ways], value=value, allow_blank=False, id=name, compact=True)

    def _blind(self) -> Select[bool]:
        options = [("the names are shown", False), ("the names are hidden until the vote", True)]
        return Select(options, value=self._setup.blind, allow_blank=False, id="blind", compact=True)

    def _values(self) -> Widget:
        if not self._offers.values:
            return Static(self._offers.no_value, id="no-value", markup=False)
        options = [(path.name, path) for path in self._offers.values]
        chosen = self._setup.value if self._setup.value in self._offers.values else self._offers.values[0]
        return Select(options, value=chosen, allow_blank=False, id="value", compact=True)

    def action_take(self) -> None:
        setup = self._chosen()
        problem = self._problem(setup)
        if problem:
            self.query_one("#problem", Static).update(problem)
        else:
            self.dismiss(setup)

    def _chosen(self) -> Setup:
        players = [Player(self._text("a"), self._way("a-way"))]
        if second := self._text("b"):
            players.append(Player(second, self._way("b-way")))
        typed = self.query_one("#attempts", Input).value
        value = self.query_one("#value", Select).value if self._offers.values else None
        return replace(
            self._setup,
            corpus=self._text("corpus"),
            players=tuple(players),
            attempts=int(typed) if typed.isdigit() else 0,
            value=value if isinstance(value, Path) else None,
            blind=self.query_one("#blind", Select).value is True,
        )

    def _problem(self, setup: Setup) -> str:
        if not 1 <= setup.attempts <= MOST_ATTEMPTS:
            return f"N: a whole number from 1 to {MOST_ATTEMPTS}"
        if len(set(setup.players)) < len(setup.players):
            return "A and B are the same: choose another checkpoint or another way for one of them"
        return ""

    def _text(self, name: str) -> str:
        return str(self.query_one(f"#{name}", Select).value)

    def _way(self, name: str) -> Way:
        return Way(self.query_one(f"#{name}", Select).value)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "take":
            self.action_take()
        else:
            self.dismiss(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_take()


def _choice(name: str, options: Sequence[str], chosen: str) -> Select[str]:
    value = chosen if chosen in options else options[0]
    return Select([(option, option) for option in options], value=value, allow_blank=False, id=name, compact=True)


def _row(label: str, *fields: Widget) -> Iterator[Widget]:
    yield Horizontal(Label(label, classes="label"), *fields, classes="field")
