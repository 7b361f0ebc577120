"""The list of runs. Posts `RunSelected` when the user moves, `RunOpened` on Enter; a refresh does neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.widgets import DataTable

from tui.messages import RunOpened, RunSelected
from tui.reading.home import RunLine, StageView
from tui.text import cut, duration, local_time, rate
from tui.widgets.rows import Column, RowTable

WIDE = 118  # cells from which on there is room for long names
MOMENT = "%m-%d %H:%M"
# A sign beside the word, so that a list is read at a glance without colours.
SIGNS = {"running": "▶", "paused": "‖", "lost": "?", "stopped": "■", "done": "✓", "failed": "✗"}


class RunTable(RowTable):
    """A row a run, the newest first, keyed by run id. base, best: pass@1 at T = 1."""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("run"),
        Column("state"),
        Column("done", right=True),
        Column("stage"),
        Column("progress", right=True),
        Column("rate", right=True, least=WIDE),
        Column("left", right=True),
        Column("base", right=True, least=98),
        Column("best", right=True),
        Column("started", least=WIDE),
        Column("ended", least=148),
        Column("corpus", least=168),
    )

    def on_mount(self) -> None:
        self.border_title = "runs (base, best: pass@1)"

    def show(self, runs: Sequence[RunLine], *, selected: int | None) -> None:
        wide = self.room >= WIDE
        rows = {str(line.run.run_id): _cells(line, wide=wide) for line in runs}
        self.show_rows(rows, selected=None if selected is None else str(selected))

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(RunSelected(run_id=int(event.row_key.value)))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(RunOpened(run_id=int(event.row_key.value)))


def _cells(line: RunLine, *, wide: bool) -> dict[str, Text | str]:
    run, stage = line.run, line.stage
    return {
        "run": cut(run.name, 24 if wide else 16),
        "state": f"{SIGNS.get(line.standing, ' ')} {line.standing}",
        "done": run.progress,
        "stage": cut(_short(stage.title), 24 if wide else 14) if stage else "",
        "progress": _progress(stage, wide=wide) if stage else "",
        "rate": f"{stage.rate:,.1f}/s" if stage and stage.rate is not None else "",
        "left": duration(stage.left) if stage and stage.left is not None else "",
        "base": rate(run.base),
        "best": rate(run.best),
        "started": local_time(run.created_at, form=MOMENT),
        "ended": local_time(run.updated_at, form=MOMENT) if line.ended else "",
        "corpus": cut(run.corpus, 24),
    }


def _short(title: str) -> str:
    """`iteration 2: solving`: the number of the iteration has a column."""
    return title.partition(": ")[2] or title


def _progress(stage: StageView, *, wide: bool) -> str:
    if wide:
        return f"{stage.done:,}/{stage.total:,}"
    return f"{stage.done / stage.total:.0%}" if stage.total else ""
