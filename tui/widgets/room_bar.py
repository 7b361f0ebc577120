"""The line at the top: the rooms with their keys, the one that the user is in in brackets. A click enters a room."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from tui.rooms import Room


class RoomBar(Static):
    def __init__(self, rooms: Sequence[Room], *, here: str) -> None:
        super().__init__(bar_text(rooms, here=here))


def bar_text(rooms: Sequence[Room], *, here: str) -> Content:
    """Brackets tell where one is: the bold type would not on every terminal."""
    parts = [
        Content.from_markup(
            f"[bold reverse]{template}[/]" if room.name == here else f"[@click=app.enter('{room.name}')]{template}[/]",
            label=f"{room.key} {room.title}",
        )
        for room in rooms
        for template in [r"\[$label]" if room.name == here else " $label "]
    ]
    return Content(" karl ").append(Content("").join(parts))
