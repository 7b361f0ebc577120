"""A graph drawn with box characters, and where in the drawing each node's box is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karl.control.workshop.drafts import Draft
from karl.settings import Settings

if TYPE_CHECKING:
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


def draw(draft: Draft, settings: Settings) -> Diagram:
    """Raises: UsageError for a graph that can't be read."""
    return drawn(drafted_graph(draft, settings))


def drafted_graph(draft: Draft, settings: Settings) -> GraphSpec:
    """As it takes effect without a task or a policy's overrides. Raises: UsageError."""
    from karl.catalog import find_graph
    from prompts.yaml_text import unsaved

    with unsaved(draft.path, draft.text):
        return find_graph(str(draft.path), settings=settings)


def drawn(spec: GraphSpec) -> Diagram:
    from graphs.diagram import draw_text
    from graphs.diagram.layout import lay_out
    from graphs.diagram.sketch import END, sketch

    layout = lay_out(sketch(spec))
    boxes = {
        placed.box.name: NodeBox(placed.top, placed.left, placed.width, placed.height)
        for placed in layout.boxes
        if placed.box.name not in ("", END)
    }
    return Diagram(spec.name, tuple(draw_text(spec).splitlines()), boxes)
