"""The list of corpora. Posts `CorpusOpened` on Enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.widgets import DataTable

from tui.messages import CorpusOpened
from tui.reading.home import CorpusLine
from tui.text import cut, local_time
from tui.widgets.rows import Column, RowTable


class CorpusTable(RowTable):
    """A row a corpus, keyed by its name."""

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("corpus"),
        Column("documents", right=True),
        Column("chunks", right=True),
        Column("skipped", right=True, least=54),
        Column("updated", least=60),
    )

    def show(self, corpora: Sequence[CorpusLine]) -> None:
        one = len(corpora) == 1
        self.border_title = f"{len(corpora)} {'corpus' if one else 'corpora'}"
        width = 24 if self.room >= 60 else 18
        self.show_rows({line.name: _cells(line, width=width) for line in corpora})

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(CorpusOpened(name=event.row_key.value))


def _cells(line: CorpusLine, *, width: int) -> dict[str, str]:
    return {
        "corpus": cut(line.name, width),
        "documents": f"{line.counts.documents:,}",
        "chunks": f"{line.counts.chunks:,}",
        "skipped": f"{line.counts.skipped:,}",
        "updated": local_time(line.updated_at, form="%m-%d %H:%M"),
    }
