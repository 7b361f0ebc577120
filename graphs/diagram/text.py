"""A graph drawn with box characters, or with plain ASCII where those can't be shown."""

from __future__ import annotations

from itertools import pairwise

from graphs.diagram.layout import Layout, Placed, Wire, lay_out
from graphs.diagram.sketch import sketch
from graphs.schema import GraphSpec

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_GLYPHS = {
    _UP: "│", _DOWN: "│", _UP | _DOWN: "│", _LEFT: "─", _RIGHT: "─", _LEFT | _RIGHT: "─",
    _DOWN | _RIGHT: "┌", _DOWN | _LEFT: "┐", _UP | _RIGHT: "└", _UP | _LEFT: "┘",
    _UP | _DOWN | _RIGHT: "├", _UP | _DOWN | _LEFT: "┤", _LEFT | _RIGHT | _DOWN: "┬", _LEFT | _RIGHT | _UP: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}  # fmt: skip
_ASCII = str.maketrans("│─┌┐└┘├┤┬┴┼▼◀●◉", "|-+++++++++v<o@")
_MARKS = {"start": "●", "end": "◉"}


def draw_text(spec: GraphSpec, *, ascii_only: bool = False) -> str:
    """Lines of text without trailing spaces. A `┼` is a crossing, never a joint."""
    layout = lay_out(sketch(spec))
    text = "\n".join(_Canvas(layout).lines())
    return text.translate(_ASCII) if ascii_only else text


class _Canvas:
    """Which ways a line leaves each cell, and letters laid over the lines."""

    def __init__(self, layout: Layout) -> None:
        self._ways = [[0] * layout.columns for _ in range(layout.rows)]
        self._letters: dict[tuple[int, int], str] = {}
        for placed in layout.boxes:
            self._box(placed)
        for wire in layout.wires:
            self._wire(wire)

    def lines(self) -> list[str]:
        return [
            "".join(self._letters.get((r, c)) or _GLYPHS.get(ways, " ") for c, ways in enumerate(row)).rstrip()
            for r, row in enumerate(self._ways)
        ]

    def _box(self, placed: Placed) -> None:
        if placed.box.kind in _MARKS:
            self._write(placed.top, placed.left, f"{_MARKS[placed.box.kind]} {placed.box.name}".rstrip())
            return
        top, left, bottom, right = placed.top, placed.left, placed.bottom, placed.right
        corners = ((top, left), (top, right), (bottom, right), (bottom, left), (top, left))
        for start, end in pairwise(corners):
            self._line(start, end)
        for index, line in enumerate(placed.box.lines):
            self._write(top + 1 + index, left + 2, line)

    def _wire(self, wire: Wire) -> None:
        for start, end in pairwise(wire.points):
            self._line(start, end)
        self._write(*wire.points[-1], "▼" if len(wire.points) == 2 else "◀")
        if wire.label:
            self._write(*wire.at, f" {wire.label} " if len(wire.points) > 2 else wire.label)

    def _line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        (row, column), (last_row, last_column) = start, end
        down, across = (last_row > row) - (last_row < row), (last_column > column) - (last_column < column)
        ahead = {(1, 0): _DOWN, (-1, 0): _UP, (0, 1): _RIGHT, (0, -1): _LEFT}.get((down, across), 0)
        behind = {_DOWN: _UP, _UP: _DOWN, _RIGHT: _LEFT, _LEFT: _RIGHT}.get(ahead, 0)
        while (row, column) != end:
            self._ways[row][column] |= ahead
            row, column = row + down, column + across
            self._ways[row][column] |= behind

    def _write(self, row: int, column: int, text: str) -> None:
        self._letters.update({(row, column + index): letter for index, letter in enumerate(text)})
