"""Questions that systems did not answer right: a row each, the one under the cursor in full below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from karl.control.evaluations import FailureLine
from tui.grid import cut

NARROW = {"system": 16, "score": 10, "wrong": 6}
WIDE = {"system": 30, "score": 10, "wrong": 6}
RIGHT = ("score", "wrong")
SPACIOUS = 130  # columns of the screen from which on the reason has room, too
FRAME = 6  # columns that are no table's: the pane's sides, the scroll bar


class FailureList(Vertical):
    """Narrowed by words in the filter's line: every one is somewhere in the row, its answer or its reference."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave_filter", "Leave the filter", show=False)]

    @dataclass
    class TraceWanted(Message):
        """rollout: key of the trace."""

        rollout: str

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._every: Sequence[FailureLine] = ()
        self._shown: list[FailureLine] = []
        self._total = 0

    def compose(self) -> ComposeResult:
        yield Static(id="failure-count", markup=False)
        yield Input(placeholder="words in system, question, answer, reason", id="failure-filter")
        yield DataTable(id="failure-rows", cursor_type="row", cell_padding=1)
        with VerticalScroll(id="failure-detail", can_focus=False):
            yield Static(id="failure-text", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self._draw()

    def show(self, failures: Sequence[FailureLine], *, total: int) -> None:
        """total: how many there are, of which `failures` are listed."""
        self._every, self._total = failures, total
        self._draw()

    @property
    def chosen(self) -> FailureLine | None:
        row = self._table.cursor_row
        return self._shown[row] if 0 <= row < len(self._shown) else None

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#failure-rows", DataTable)

    def begin_filter(self) -> None:
        self.query_one(Input).display = True
        self.query_one(Input).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Elsewhere Escape is the room's."""
        return action != "leave_filter" or self.query_one(Input).has_focus

    def action_leave_filter(self) -> None:
        """An empty filter is put away; the list has the keys again."""
        field = self.query_one(Input)
        field.display = bool(field.value)
        self._table.focus()

    def _draw(self) -> None:
        wanted = self.query_one(Input).value.casefold().split()
        self._shown = [line for line in self._every if _has(line, wanted)]
        table = self._table
        table.clear(columns=True)
        widths = _widths(self.app.size.width)
        for name, width in widths.items():
            table.add_column(Text(name, justify="right" if name in RIGHT else "left"), key=name, width=width)
        for line in self._shown:
            table.add_row(*_cells(line, widths))
        self.query_one("#failure-count", Static).update(self._counted())
        self._draw_detail()

    def _counted(self) -> str:
        if not self._total:
            return "every answer is right"
        return f"{len(self._shown):,} of {self._total:,} that are wrong or failed; / narrows, Enter opens the trace"

    def _draw_detail(self) -> None:
        line = self.chosen
        self.query_one("#failure-text", Static).update(_full(line) if line else "")

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self._draw()

    @on(Input.Submitted)
    def _narrowed(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_leave_filter()

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._draw_detail()

    @on(DataTable.RowSelected)
    def _opened(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if (line := self.chosen) is not None:
            self.post_message(self.TraceWanted(line.rollout))


def _has(line: FailureLine, words: Sequence[str]) -> bool:
    text = " ".join((line.system, line.task, line.key, line.question, line.answer, line.reference, line.reason))
    return all(word in text.casefold() for word in words)


def _widths(columns: int) -> dict[str, int]:
    """The questions have what the others leave; two cells of each column are its sides."""
    widths = NARROW if columns < SPACIOUS else WIDE
    left = columns - FRAME - sum(own + 2 for own in widths.values())
    if columns < SPACIOUS:
        return widths | {"question": max(10, left - 2)}
    return widths | {"question": (left - 4) // 2, "reason": (left - 4) // 2}


def _cells(line: FailureLine, widths: dict[str, int]) -> list[Text]:
    texts = {
        "system": line.system,
        "score": line.status if line.score is None else f"{line.score:.3f}",
        "wrong": f"{line.wrong}/{line.answers}",
        "question": line.question,
        "reason": line.reason,
    }
    return [
        Text(cut(texts[name], width), justify="right" if name in RIGHT else "left") for name, width in widths.items()
    ]


def _full(line: FailureLine) -> Text:
    parts = {
        "question": line.question,
        "answer": line.answer or "none",
        "reference": line.reference or "not kept",
        "reason": line.reason,
        "trace": line.rollout,
    }
    return Text("\n").join(Text.assemble((f"{name}: ", "bold"), text) for name, text in parts.items() if text)
