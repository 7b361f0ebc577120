"""A room as a picture, drawn without a terminal: for pages that show what it looks like."""

from __future__ import annotations

from textual.worker import WorkerFailed

from karl.control.place import Settings
from store.errors import KarlError
from store.session import Store
from tui.app import KarlApp


async def picture(store: Store, settings: Settings, *, room: str, columns: int, rows: int) -> str:
    """The room as SVG. Raises: KarlError when the store cannot be read."""
    app = KarlApp(store, settings, room=room)
    async with app.run_test(size=(columns, rows)) as pilot:
        try:
            await app.workers.wait_for_complete()
        except WorkerFailed as exc:
            raise KarlError(f"cannot draw the room {room}: {exc.error}") from exc
        await pilot.pause()
        return app.export_screenshot(title="karl tui")
