"""Two rollouts, aligned step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from store.session import Store
from tui.reading.trace import TraceView, read_trace
from tui.screens.base import RoomScreen
from tui.widgets.comparison import comparison

WIDE = 120  # cells from which on two texts beside one another can be read


def read_pair(store: Store, first: int, second: int) -> tuple[TraceView | None, TraceView | None]:
    """Raises: KarlError when the database refuses."""
    return read_trace(store, first), read_trace(store, second)


class CompareScreen(RoomScreen):
    ROOM = "traces"
    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", key_display="esc"),
        Binding("f", "full", "Full texts", tooltip="all of every step's text, or its beginning"),
        Binding("x", "swap", "Swap sides"),
    ]

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self._pair = (first, second)
        self._views: tuple[TraceView, TraceView] | None = None
        self._full = False

    def compose_room(self) -> ComposeResult:
        with VerticalScroll(id="pair"):
            yield Static(id="text", markup=False)

    def on_mount(self) -> None:
        self.query_one("#pair").focus()

    def come_back(self) -> None:
        """What is shown does not change: it is read once."""
        if self.desk.filter is not None or self.desk.rollout_id is not None:
            self.dismiss()
        self.read()

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        return partial(read_pair, self.desk.store, *self._pair) if afresh or self._views is None else None

    def show(self, view: tuple[TraceView | None, TraceView | None]) -> str:
        first, second = view
        if first is None or second is None:
            gone = self._pair[0] if first is None else self._pair[1]
            return f"rollout {gone} is no longer in the store"
        self._views = (first, second)
        self._draw()
        asked = "the same question" if first.record.question == second.record.question else "different questions"
        return f"rollouts {self._pair[0]} and {self._pair[1]}, {asked}; = the same, ~ not the same"

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._views is not None:
            wide = self.size.width >= WIDE
            self.query_one("#text", Static).update(comparison(*self._views, wide=wide, full=self._full))

    def action_full(self) -> None:
        self._full = not self._full
        self._draw()

    def action_swap(self) -> None:
        self._pair = (self._pair[1], self._pair[0])
        if self._views is not None:
            self.say(self.show((self._views[1], self._views[0])))
