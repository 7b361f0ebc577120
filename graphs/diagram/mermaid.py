"""A graph as a Mermaid flowchart: shapes tell node kinds apart, labels are outcomes. GitHub renders it in place."""

from __future__ import annotations

from graphs.diagram.sketch import END, Arrow, Box, sketch
from graphs.schema import GraphSpec

# kind -> opening and closing bracket of the shape; a plain rectangle otherwise
_SHAPES = {
    "policy": ("([", "])"),
    "value_select": ("([", "])"),
    "tool": ("[[", "]]"),
    "compress": ("[/", "/]"),
    "parallel": ("{{", "}}"),
    "vote": (">", "]"),
    "judge": ("{", "}"),
    "stage": ("[(", ")]"),
}


def mermaid(spec: GraphSpec) -> str:
    """The flowchart's source, without code fence."""
    drawn = sketch(spec)
    lines = ["flowchart TD", "  start_(( )) --> " + _id(drawn.boxes[0].name)]
    lines += [f"  {_node(box)}" for box in drawn.boxes]
    if any(arrow.target == END for arrow in drawn.arrows):
        lines.append(f"  {_id(END)}(((end)))")
    lines += [f"  {_edge(arrow)}" for arrow in drawn.arrows]
    return "\n".join(lines)


def _node(box: Box) -> str:
    before, after = _SHAPES.get(box.kind, ("[", "]"))
    title, *rest = (_text(line) for line in box.lines)
    label = "<br/>".join([f"<b>{title}</b>", *rest])
    return f'{_id(box.name)}{before}"{label}"{after}'


def _edge(arrow: Arrow) -> str:
    label = f'|"{_text(arrow.label)}"|' if arrow.label else ""
    return f"{_id(arrow.source)} -->{label} {_id(arrow.target)}"


def _id(name: str) -> str:
    # `end`, `style`, `class` and the like are words of Mermaid's own; none of them ends in an underscore.
    return f"{name}_"


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
