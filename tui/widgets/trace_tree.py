"""A rollout as a tree of lines; what a line has in full is shown beside it. Lines are made when they are opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.style import Style
from rich.text import Text
from textual import on
from textual.widgets import Tree
from textual.widgets.tree import TreeNode as Line

from tui.excerpts import one_line
from tui.reading.trace_steps import LEGEND, TraceNode

LONGEST = 300  # cells of a line that are kept; a wider terminal is rare
NARROWEST = 12


class TraceTree(Tree[TraceNode]):
    """Enter opens and closes a line; the screen does what a line without lines below asks for."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(Text(""), id=id)
        self.show_root = False
        self.guide_depth = 2

    def on_mount(self) -> None:
        self.border_title = f"steps: {LEGEND}"

    @property
    def chosen(self) -> TraceNode | None:
        """Under the cursor."""
        return self.cursor_node.data if self.cursor_node else None

    def show(self, nodes: Sequence[TraceNode]) -> None:
        """In place of what was shown."""
        self.clear()
        self._add(self.root, nodes)
        self.root.expand()
        self.cursor_line = 0

    def _add(self, parent: Line[TraceNode], nodes: Iterable[TraceNode]) -> None:
        for node in nodes:
            label = Text(one_line(node.label, LONGEST))
            line = parent.add(label, data=node, allow_expand=bool(node.children), expand=node.opened)
            if node.opened:
                self._add(line, node.children)

    @on(Tree.NodeExpanded)
    def _fill(self, event: Tree.NodeExpanded[TraceNode]) -> None:
        if event.node.data is not None and not event.node.children:
            self._add(event.node, event.node.data.children)

    def render_label(self, node: Line[TraceNode], base_style: Style, style: Style) -> Text:
        """Cut to the tree's width, with an ellipsis: what is cut stands beside the tree."""
        label = super().render_label(node, base_style, style)
        depth, parent = 0, node.parent
        while parent is not None and not parent.is_root:
            depth, parent = depth + 1, parent.parent
        label.truncate(max(NARROWEST, self.size.width - self.guide_depth * (depth + 1) - 1), overflow="ellipsis")
        return label
