"""The terminal application: opens on the runs. It reads the store; quitting it stops no run."""

from __future__ import annotations

from textual.app import App
from textual.worker import WorkerFailed

from store.errors import KarlError
from store.session import Store
from tui.screens.runs import RunsScreen
from tui.snapshot import RunReader


class KarlApp(App[None]):
    TITLE = "karl"
    # Below 140 columns the list stands above the details: side by side, both would be cut.
    # Not ClassVar: textual declares these two as instance variables.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (40, "-tall")]  # noqa: RUF012

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def on_mount(self) -> None:
        # Pushed, not the default screen: textual loads the style sheet of pushed screens only.
        self.push_screen(RunsScreen(RunReader(self._store)))


async def picture(store: Store, *, columns: int, rows: int) -> str:
    """The first screen as SVG, drawn without a terminal. Raises: KarlError when the store cannot be read."""
    app = KarlApp(store)
    async with app.run_test(size=(columns, rows)) as pilot:
        try:
            await app.workers.wait_for_complete()
        except WorkerFailed as exc:
            raise KarlError(f"cannot draw the runs: {exc.error}") from exc
        await pilot.pause()
        return app.export_screenshot(title="karl tui")
