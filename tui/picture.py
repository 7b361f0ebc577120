"""The application as a picture, drawn without a terminal: for pages that show what it looks like."""

from __future__ import annotations

from textual.worker import WorkerFailed

from store.errors import KarlError
from tui.app import KarlApp


async def picture(app: KarlApp, *, columns: int, rows: int) -> str:
    """The room that it begins in, as SVG. Raises: KarlError when the store cannot be read."""
    async with app.run_test(size=(columns, rows)) as pilot:
        try:
            await app.workers.wait_for_complete()
        except WorkerFailed as exc:
            raise KarlError(f"cannot draw the room: {exc.error}") from exc
        await pilot.pause()
        return app.export_screenshot(title="karl tui")
