"""The list of checkpoints, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from store.queries import CheckpointLine
from tui.text import cut, local_time, rate
from tui.widgets.rows import Column, RowTable


class CheckpointTable(RowTable):
    """A row a checkpoint, keyed by its id. pass@1: on the held-out questions of its run."""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("checkpoint"),
        Column("trained by"),
        Column("version", right=True),
        Column("pass@1", right=True),
        Column("made"),
    )

    def show(self, checkpoints: Sequence[CheckpointLine]) -> None:
        self.border_title = f"newest {len(checkpoints)} checkpoints" if checkpoints else "checkpoints: none yet"
        self.show_rows({str(line.checkpoint_id): _cells(line) for line in checkpoints})


def _cells(line: CheckpointLine) -> dict[str, str]:
    return {
        "checkpoint": cut(line.name, 28),
        "trained by": "nothing yet" if str(line.algorithm) == "base" else str(line.algorithm),
        "version": str(line.policy_version),
        "pass@1": rate(line.score),
        "made": local_time(line.created_at, form="%m-%d %H:%M"),
    }
