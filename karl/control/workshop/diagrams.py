"""A graph drawn with box characters, and where in the drawing each node's box is."""

from __future__ import annotations

from dataclasses import dataclass

from graphs.diagram import draw_text
from graphs.diagram.layout import lay_out
from graphs.diagram.sketch import END, sketch
from graphs.schema import GraphSpec


@dataclass(frozen=True, slots=True)
class NodeBox:
    """In character cells from the upper left corner, the border counted in."""

    top: int
    left: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """boxes: by the node's name."""

    graph: str
    lines: tuple[str, ...]
    boxes: dict[str, NodeBox]


def drawn(spec: GraphSpec) -> Diagram:
    layout = lay_out(sketch(spec))
    boxes = {
        placed.box.name: NodeBox(placed.top, placed.left, placed.width, placed.height)
        for placed in layout.boxes
        if placed.box.name not in ("", END)
    }
    return Diagram(spec.name, tuple(draw_text(spec).splitlines()), boxes)
