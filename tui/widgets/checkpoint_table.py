"""The list of checkpoints, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from store.queries import CheckpointLine
from tui.text import cut, local_time, rate, some
from tui.widgets.rows import Column, RowTable


class CheckpointTable(RowTable):
    """Keyed by the checkpoint's id. by: the algorithm that trained it; pass@1: on the held-out questions of its run."""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("checkpoint"),
        Column("by", least=44),
        Column("version", right=True, least=54),
        Column("pass@1", right=True),
        Column("made", least=62),
    )

    def show(self, checkpoints: Sequence[CheckpointLine]) -> None:
        self.border_title = f"newest {some(len(checkpoints), 'checkpoint')}" if checkpoints else "checkpoints: none yet"
        width = 28 if self.room >= 62 else 22
        self.show_rows({str(line.checkpoint_id): _cells(line, width=width) for line in checkpoints})


def _cells(line: CheckpointLine, *, width: int) -> dict[str, str]:
    return {
        "checkpoint": cut(line.name, width),
        "by": str(line.algorithm),
        "version": str(line.policy_version),
        "pass@1": rate(line.score),
        "made": local_time(line.created_at, form="%m-%d %H:%M"),
    }
