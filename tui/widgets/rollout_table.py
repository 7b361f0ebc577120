"""The list of rollouts. Posts `TraceOpened` on Enter and `EndReached` when the cursor comes near the last line.

A row is one cell of padded texts: what the table takes long for is to draw cells, and a row would have twelve.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

from store.queries import RolloutLine
from store.types import RolloutStatus
from tui.excerpts import one_line
from tui.text import rate

NEAR = 20  # lines from the last one at which the next page is asked for
MIDDLING = 120  # cells from which on there is room for the answer, and for every column
WIDE = 165
GAP = "  "
EDGE = 5  # padding of the table and of its cell, scrollbar
CELL = "line"  # the one column's key


class Shape(NamedTuple):
    """cells: width; 0: a share of what the others leave, `share` of all shares."""

    cells: int
    right: bool = False
    share: int = 1


NARROW_SHAPES = {
    "mark": Shape(1),
    "id": Shape(7, right=True),
    "arm": Shape(9),
    "score": Shape(5, right=True),
    "state": Shape(15),
    "question": Shape(0),
}
MIDDLING_SHAPES = {
    "mark": Shape(1),
    "id": Shape(7, right=True),
    "arm": Shape(10),
    "score": Shape(5, right=True),
    "state": Shape(15),
    "fate": Shape(11),
    "steps": Shape(5, right=True),
    "question": Shape(0, share=3),
    "answer": Shape(0, share=2),
}
WIDE_SHAPES = {
    "mark": Shape(1),
    "id": Shape(7, right=True),
    "stage": Shape(13),
    "arm": Shape(10),
    "score": Shape(5, right=True),
    "state": Shape(15),
    "fate": Shape(11),
    "behaviour": Shape(23),
    "steps": Shape(5, right=True),
    "tokens": Shape(8, right=True),
    "question": Shape(0, share=3),
    "answer": Shape(0, share=2),
}


@dataclass
class TraceOpened(Message):
    """The user wants to see this rollout."""

    rollout_id: int


@dataclass
class RolloutUnder(Message):
    """The cursor has come to this rollout."""

    line: RolloutLine


@dataclass
class EndReached(Message):
    """`last`: the id of the last line."""

    last: int


class RolloutTable(DataTable[Text]):
    """A row a rollout, keyed by its id. A mark is a sign in the first column."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "scroll_top", "The newest", show=False),
        Binding("end", "scroll_bottom", "The last that was read", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row")
        self._lines: dict[int, RolloutLine] = {}
        self._marked: Collection[int] = ()
        self._shapes: dict[str, Shape] = {}
        self.border_title = "rollouts, the newest first"

    @property
    def current(self) -> RolloutLine | None:
        """Under the cursor."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        key = self.coordinate_to_cell_key(self.cursor_coordinate).row_key
        return self._lines.get(int(key.value or 0))

    def beside(self, rollout_id: int, by: int) -> int | None:
        """The rollout so many lines below, with the cursor on it; None: there is none, as far as was read."""
        if rollout_id not in self._lines:
            return None
        row = self.get_row_index(str(rollout_id)) + by
        if not self.is_valid_row_index(row):
            return None
        self.move_cursor(row=row)
        return self.current.rollout_id if self.current else None

    def show(self, lines: Sequence[RolloutLine], *, marked: Collection[int]) -> None:
        """These lines in place of all, the cursor on the rollout that it was on, else on the first."""
        current = self.current
        with self.prevent(DataTable.RowHighlighted):
            self.clear()
            self._lines = {}
            self.append(lines, marked=marked)
            self._return_to(current)

    def append(self, lines: Sequence[RolloutLine], *, marked: Collection[int]) -> None:
        self._marked = marked
        for line in lines:
            self._lines[line.rollout_id] = line
            if self._shapes:
                self.add_row(self._row(line), key=str(line.rollout_id))

    def mark(self, marked: Collection[int]) -> None:
        """Draw the signs of these rollouts, and take away those of others."""
        changed = (set(self._marked) ^ set(marked)) & self._lines.keys()
        self._marked = marked
        for rollout_id in changed:
            self.update_cell(str(rollout_id), CELL, self._row(self._lines[rollout_id]))

    def on_resize(self, event: events.Resize) -> None:
        """Other columns where there is other room; lines and cursor stay."""
        shapes = shapes_for(event.size.width)
        if shapes == self._shapes:
            self.move_cursor(row=self.cursor_row)  # into sight again
            return
        current, self._shapes = self.current, shapes
        with self.prevent(DataTable.RowHighlighted):
            self.clear(columns=True)
            titles = {name: "" if name == "mark" else name for name in shapes}
            self.add_column(_joined(titles, shapes), key=CELL, width=event.size.width - EDGE)
            self.append(list(self._lines.values()), marked=self._marked)
            self._return_to(current)

    def _return_to(self, line: RolloutLine | None) -> None:
        if line is not None and line.rollout_id in self._lines and self._shapes:
            self.move_cursor(row=self.get_row_index(str(line.rollout_id)))

    def _row(self, line: RolloutLine) -> Text:
        return _joined(_texts(line) | {"mark": _sign(line.rollout_id, self._marked)}, self._shapes)

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if self.current is not None:
            self.post_message(RolloutUnder(line=self.current))
        if self._lines and event.cursor_row >= len(self._lines) - NEAR:
            self.post_message(EndReached(last=next(reversed(self._lines))))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(TraceOpened(rollout_id=int(event.row_key.value)))


def shapes_for(width: int) -> dict[str, Shape]:
    """The columns for so many cells, those without a width of their own sharing what is left."""
    shapes = WIDE_SHAPES if width >= WIDE else MIDDLING_SHAPES if width >= MIDDLING else NARROW_SHAPES
    taken = sum(shape.cells for shape in shapes.values()) + len(GAP) * (len(shapes) - 1) + EDGE
    shares = sum(shape.share for shape in shapes.values() if not shape.cells)
    each = max(8, (width - taken) // shares)
    return {name: shape if shape.cells else Shape(each * shape.share) for name, shape in shapes.items()}


def _joined(texts: Mapping[str, str], shapes: Mapping[str, Shape]) -> Text:
    return Text(GAP.join(_padded(texts[name], shape) for name, shape in shapes.items()), no_wrap=True)


def _padded(text: str, shape: Shape) -> str:
    cut = one_line(text, shape.cells)
    return " " * (shape.cells - cell_len(cut)) + cut if shape.right else set_cell_size(cut, shape.cells)


def _texts(line: RolloutLine) -> dict[str, str]:
    return {
        "id": str(line.rollout_id),
        "stage": f"{line.purpose} {line.iteration}",
        "arm": line.arm or str(line.purpose),
        "score": rate(line.reward),
        "state": _state(line),
        "fate": (line.fate or "").replace("_", " "),
        "behaviour": line.behaviour.replace("_", " "),
        "steps": str(line.step_count),
        "tokens": f"{line.sampled_tokens:,}",
        "question": line.question,
        "answer": line.answer,
    }


def _state(line: RolloutLine) -> str:
    """Who finished needs no word."""
    if line.status is RolloutStatus.FINISHED:
        return ""
    return f"failed: {line.failure_kind}" if line.status is RolloutStatus.FAILED else str(line.status)


def _sign(rollout_id: int, marked: Collection[int]) -> str:
    return "*" if rollout_id in marked else " "
