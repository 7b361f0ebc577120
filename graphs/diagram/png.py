"""A graph as a PNG file, drawn with Pillow from the same layout as the text; nothing is sent to a server."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphs.diagram.layout import Layout, Placed, Wire, lay_out
from graphs.diagram.sketch import sketch
from graphs.schema import GraphSpec
from store.errors import UsageError

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

FONT_PIXELS = 26
ROW_PIXELS = 44
MARGIN = 32
INK, PAPER, LINE = "#1f2328", "#ffffff", "#57606a"
_FILLS = {
    "policy": "#ddf4ff",
    "value_select": "#b6e3ff",
    "tool": "#dafbe1",
    "compress": "#fff8c5",
    "parallel": "#fbefff",
    "vote": "#fbefff",
    "judge": "#ffebe9",
    "stage": "#eaeef2",
}


def write_png(spec: GraphSpec, path: Path) -> None:
    """Draw `spec` into `path`. Raises: UsageError without Pillow, or when the file can't be written."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as exc:
        raise UsageError("--png needs Pillow: pip install 'karl-agents[png]', or use --mermaid or --ascii") from exc
    layout = lay_out(sketch(spec))
    font = ImageFont.load_default(FONT_PIXELS)
    cell = _cell_width(layout, font)
    size = (2 * MARGIN + cell * layout.columns, 2 * MARGIN + ROW_PIXELS * layout.rows)
    image = Image.new("RGB", size, PAPER)
    _Painter(ImageDraw.Draw(image), font, cell).paint(layout)
    try:
        image.save(path, format="PNG")
    except OSError as exc:
        raise UsageError(f"{path}: can't be written: {exc}") from exc


def _cell_width(layout: Layout, font: Any) -> int:
    """Pixels of a column, such that no text is wider than the cells it was given."""
    texts = [line for placed in layout.boxes for line in placed.box.lines]
    texts += [wire.label for wire in layout.wires if wire.label]
    return ceil(max(font.getlength(text) / len(text) for text in texts))


class _Painter:
    def __init__(self, draw: ImageDraw, font: Any, cell: int) -> None:
        self._draw, self._font, self._cell = draw, font, cell

    def paint(self, layout: Layout) -> None:
        for wire in layout.wires:
            self._wire(wire)
        for placed in layout.boxes:
            self._box(placed)
        for wire in layout.wires:
            self._label(wire)

    def _at(self, row: float, column: float) -> tuple[float, float]:
        """The middle of a cell."""
        return MARGIN + (column + 0.5) * self._cell, MARGIN + (row + 0.5) * ROW_PIXELS

    def _box(self, placed: Placed) -> None:
        x, y = self._at(placed.top, placed.left)
        if placed.box.kind in ("start", "end"):
            self._draw.ellipse((x - 11, y - 11, x + 11, y + 11), fill=INK)
            if placed.box.kind == "end":
                self._draw.ellipse((x - 16, y - 16, x + 16, y + 16), outline=INK, width=3)
                self._draw.text(self._at(placed.top, placed.left + 1.5), "end", fill=INK, font=self._font, anchor="lm")
            return
        corner = self._at(placed.bottom, placed.right)
        fill = _FILLS.get(placed.box.kind, "#f6f8fa")
        self._draw.rounded_rectangle((x, y, *corner), radius=12, fill=fill, outline=INK, width=3)
        for index, line in enumerate(placed.box.lines):
            colour, weight = (INK, 1) if index == 0 else (LINE, 0)
            where = self._at(placed.top + 1 + index, placed.left + 1.5)
            self._draw.text(where, line, fill=colour, font=self._font, anchor="lm", stroke_width=weight / 2)

    def _wire(self, wire: Wire) -> None:
        points = [self._at(*point) for point in wire.points]
        straight, (x, y) = len(points) == 2, points[-1]
        # The last cell holds the arrow head, whose tip touches the box.
        points[-1] = x, y = (x, y + ROW_PIXELS / 2 - 8) if straight else (x, y)
        for start, end in pairwise(points):
            self._draw.line((*start, *end), fill=LINE, width=3)
        half, long = 9, 16
        if straight:
            head = [(x, y + long / 2), (x - half, y - long / 2), (x + half, y - long / 2)]
        else:
            head = [(x - long / 2, y), (x + long / 2, y - half), (x + long / 2, y + half)]
        self._draw.polygon(head, fill=LINE)

    def _label(self, wire: Wire) -> None:
        if not wire.label:
            return
        where = self._at(wire.at[0], wire.at[1])
        box = self._draw.textbbox(where, wire.label, font=self._font, anchor="lm")
        self._draw.rectangle((box[0] - 4, box[1], box[2] + 4, box[3]), fill=PAPER)
        self._draw.text(where, wire.label, fill=INK, font=self._font, anchor="lm")
