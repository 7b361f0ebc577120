"""The list of runs. Posts `RunSelected` when the user moves, `RunOpened` on Enter; a refresh does neither."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.widgets import DataTable

from store.queries import RunOverview
from tui.messages import RunOpened, RunSelected
from tui.text import rate

COLUMNS = ("run", "state", "corpus", "done", "base", "newest")


class RunTable(DataTable[Text]):
    """A row a run, the newest first, keyed by run id. base, newest: pass@1 at T = 1."""

    def on_mount(self) -> None:
        self.cursor_type = "row"
        self.border_title = "runs (base, newest: pass@1)"
        for name in COLUMNS:
            self.add_column(Text(name, justify="right" if name in COLUMNS[3:] else "left"), key=name)

    def show(self, runs: Sequence[RunOverview], *, selected: int | None) -> None:
        """Draw `runs` with the cursor on `selected`; cells that did not change are left alone."""
        keys = [str(run.run_id) for run in runs]
        with self.prevent(DataTable.RowHighlighted):
            if keys != [key.value for key in self.rows]:
                self._rebuild(runs)
            else:
                self._update(runs)
            if str(selected) in keys:
                self.move_cursor(row=keys.index(str(selected)))

    def _rebuild(self, runs: Sequence[RunOverview]) -> None:
        self.clear()
        for run in runs:
            self.add_row(*_cells(run), key=str(run.run_id))

    def _update(self, runs: Sequence[RunOverview]) -> None:
        for run in runs:
            key = str(run.run_id)
            for column, cell in zip(COLUMNS, _cells(run), strict=True):
                if self.get_cell(key, column) != cell:
                    self.update_cell(key, column, cell, update_width=True)

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(RunSelected(run_id=int(event.row_key.value)))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(RunOpened(run_id=int(event.row_key.value)))


def _cells(run: RunOverview) -> list[Text]:
    left = (run.name, str(run.state), run.corpus)
    right = (run.progress, rate(run.base), rate(run.newest))
    return [*map(Text, left), *(Text(cell, justify="right") for cell in right)]
