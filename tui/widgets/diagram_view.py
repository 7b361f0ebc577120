"""A graph's diagram; the node that a rollout is in is told by a mark and by reversed type."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import ScrollableContainer
from textual.widgets import Static

from karl.control.workshop import Diagram, NodeBox

HERE = "▶"


class DiagramView(ScrollableContainer):
    """Scrolls both ways; a diagram is never wrapped."""

    can_focus = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._diagram: Diagram | None = None
        self._node = ""

    def compose(self) -> ComposeResult:
        yield Static(classes="drawing", markup=False)

    def show(self, diagram: Diagram | None, *, node: str = "") -> None:
        """node: where the rollout is, "" for nowhere."""
        if (diagram, node) == (self._diagram, self._node):
            return
        self._diagram, self._node = diagram, node
        text = draw(diagram, node) if diagram else Text("no diagram: the graph can't be read")
        self.query_one(".drawing", Static).update(text)


def draw(diagram: Diagram, node: str) -> Text:
    """The drawing with `node` marked."""
    lines = list(diagram.lines)
    box = diagram.boxes.get(node)
    if box:
        row = box.top + 1
        lines[row] = lines[row][: box.left + 1] + HERE + lines[row][box.left + 2 :]
    text = Text("\n".join(lines), no_wrap=True)
    if box:
        _reverse(text, lines, box)
    return text


def _reverse(text: Text, lines: list[str], box: NodeBox) -> None:
    start = 0
    for number, line in enumerate(lines):
        if box.top < number < box.top + box.height - 1:
            text.stylize("bold reverse", start + box.left + 1, start + box.left + box.width - 1)
        start += len(line) + 1
