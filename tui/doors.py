"""Ways from one room into another."""

from __future__ import annotations

from tui.screens.base import RoomScreen


def open_trace(screen: RoomScreen, rollout_id: int) -> None:
    """In the room of traces; Escape there comes back."""
    screen.desk.rollout_id, screen.desk.back = rollout_id, screen.ROOM
    screen.app.switch_mode("traces")
