"""Where boxes and wires go, in character cells. Boxes stand in one column; wires that lead elsewhere than to the next
box run in lanes to the right of it, one lane for each target, so that any graph can be drawn without ambiguity.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from graphs.diagram.sketch import END, Arrow, Box, Sketch

Point = tuple[int, int]  # row, column
_START = Box("", "start", ("start",))
_END = Box(END, "end", ("end",))


class Placed(NamedTuple):
    """A box with its border; `ports`: target or "" (arrivals) -> the row on its right side."""

    box: Box
    top: int
    left: int
    width: int
    height: int
    ports: dict[str, int]

    @property
    def right(self) -> int:
        return self.left + self.width - 1

    @property
    def bottom(self) -> int:
        return self.top + self.height - 1


class Wire(NamedTuple):
    """A line with right angles from the border of one box to the cell before another, its label at `at`."""

    points: tuple[Point, ...]
    label: str
    at: Point


class Layout(NamedTuple):
    boxes: tuple[Placed, ...]
    wires: tuple[Wire, ...]
    rows: int
    columns: int


def lay_out(drawn: Sketch) -> Layout:
    """Boxes from top to bottom in the sketch's order, between the start and the end."""
    arrows = (Arrow("", drawn.boxes[0].name, ""), *drawn.arrows)
    boxes = [_START, *drawn.boxes] + [_END] * any(arrow.target == END for arrow in arrows)
    following = {box.name: after.name for box, after in pairwise(boxes)}
    straight = [arrow for arrow in arrows if following.get(arrow.source) == arrow.target]
    bent = [arrow for arrow in arrows if arrow not in straight]
    placed = {item.box.name: item for item in _stack(boxes, straight, bent)}
    lanes = _lanes(placed, straight, bent)
    wires = (*(_down(placed, arrow) for arrow in straight), *(_around(placed, lanes, arrow) for arrow in bent))
    columns = 1 + max([*(item.right for item in placed.values()), *lanes.values(), *(_label_end(w) for w in wires)])
    return Layout(tuple(placed.values()), wires, max(item.bottom for item in placed.values()) + 1, columns)


def _stack(boxes: list[Box], straight: list[Arrow], bent: list[Arrow]) -> Iterator[Placed]:
    width = 4 + max(len(line) for box in boxes for line in box.lines)
    leaves_down = {arrow.source for arrow in straight}
    top = 0
    for box in boxes:
        framed = box not in (_START, _END)
        wanted = ([""] if any(arrow.target == box.name for arrow in bent) else []) + [
            arrow.target for arrow in bent if arrow.source == box.name
        ]
        height = max(len(box.lines), len(wanted)) + 2 * framed
        ports = {target: top + framed + index for index, target in enumerate(wanted)}
        # Start and end are a mark with its name, the mark under the middle of the boxes.
        left, across = (0, width) if framed else (width // 2, 3 + len(box.lines[0]))
        yield Placed(box, top, left, across, height, ports)
        top += height + (2 if box.name in leaves_down else 1)


def _lanes(placed: dict[str, Placed], straight: list[Arrow], bent: list[Arrow]) -> dict[str, int]:
    """Target -> column of its lane; short lanes stand next to the boxes."""
    first = max(item.right for item in placed.values()) + 3
    first = max([first, *(first + len(arrow.label) + 3 for arrow in bent if arrow.label)])
    first = max([first, *(_label_end(_down(placed, arrow)) + 2 for arrow in straight)])
    spans: dict[str, tuple[int, int]] = {}
    for arrow in bent:
        rows = (placed[arrow.source].ports[arrow.target], placed[arrow.target].ports[""])
        low, high = spans.get(arrow.target, rows)
        spans[arrow.target] = (min(low, *rows), max(high, *rows))
    columns: list[list[tuple[int, int]]] = []
    lanes: dict[str, int] = {}
    for target, span in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        free = (n for n, taken in enumerate(columns) if all(span[1] < t[0] or t[1] < span[0] for t in taken))
        column = next(free, len(columns))
        columns[column : column + 1] = [[*(columns[column] if column < len(columns) else []), span]]
        lanes[target] = first + 3 * column
    return lanes


def _down(placed: dict[str, Placed], arrow: Arrow) -> Wire:
    source, target = placed[arrow.source], placed[arrow.target]
    middle = placed[""].left
    return Wire(((source.bottom, middle), (target.top - 1, middle)), arrow.label, (source.bottom + 1, middle + 2))


def _around(placed: dict[str, Placed], lanes: dict[str, int], arrow: Arrow) -> Wire:
    source, target, lane = placed[arrow.source], placed[arrow.target], lanes[arrow.target]
    out, back = source.ports[arrow.target], target.ports[""]
    points = ((out, source.right), (out, lane), (back, lane), (back, target.right + 1))
    return Wire(points, arrow.label, (out, source.right + 3))


def _label_end(wire: Wire) -> int:
    return wire.at[1] + len(wire.label) if wire.label else 0
