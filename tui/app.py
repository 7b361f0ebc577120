"""The terminal application: one mode a room, all over one desk. Quitting it stops no run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import get_current_worker

from karl.control.place import Settings
from store.session import Store
from tui.desk import Desk
from tui.rooms import ROOMS, Room, import_rooms
from tui.themes import THEMES

SETTLED = 1.0  # seconds after which the first room has what it shows


class KarlApp(App[None]):
    TITLE = "karl"
    CSS_PATH = "app.tcss"
    # Below 140 columns what belongs together is stacked: side by side, both would be cut.
    # Not ClassVar: textual declares these two as instance variables.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (40, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(room.key, f"enter('{room.name}')", room.title, show=False, tooltip=room.does) for room in ROOMS),
        Binding("q", "quit", "Quit"),
        Binding("question_mark", "help", "Keys", key_display="?"),
    ]

    def __init__(self, store: Store, settings: Settings, *, room: str = "home") -> None:
        super().__init__()
        self.desk = Desk(store, settings)
        self._first = room
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def on_mount(self) -> None:
        for room in ROOMS:
            self.add_mode(room.name, room.make)
        self.switch_mode(self._first)
        self.set_timer(SETTLED, self._import_rooms)

    def _import_rooms(self) -> None:
        """What cannot be imported is told by the room that needs it."""

        def work() -> None:
            worker = get_current_worker()
            import_rooms(cancelled=lambda: worker.is_cancelled)

        self.run_worker(work, name="import", group="import", thread=True, exit_on_error=False)

    def action_enter(self, name: str) -> None:
        """Go to a room; what was open on top of the one that is left stays there."""
        self.switch_mode(name)

    async def action_quit(self) -> None:
        """At once, unless something is not saved yet."""
        if not self.desk.unsaved:
            self.exit()
            return
        from tui.screens.choice import ChoiceScreen

        files = ", ".join(sorted(self.desk.unsaved))
        choices = {"d": "Quit and lose them"}
        self.push_screen(ChoiceScreen(f"Not saved yet: {files}", choices, stay="Stay"), self._quit_anyway)

    def _quit_anyway(self, choice: str | None) -> None:
        if choice:
            self.exit()

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the screen offers itself comes first; then the rooms, and what textual has: themes, quitting."""
        yield from getattr(screen, "commands", tuple)()
        for room in ROOMS:
            yield SystemCommand(f"Room: {room.title}", room.does, partial(self.action_enter, room.name))
        yield SystemCommand("Keys that work here", "the same as ?", self.action_help)
        theirs = super().get_system_commands(screen)
        yield from (command for command in theirs if command.title not in ("Keys", "Screenshot"))

    @property
    def rooms(self) -> tuple[Room, ...]:
        return ROOMS
