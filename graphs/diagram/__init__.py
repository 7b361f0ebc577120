"""Drawings of a graph: Mermaid for pages that render it, text for terminals, PNG for slides. None needs a network."""

from graphs.diagram.mermaid import mermaid
from graphs.diagram.png import write_png
from graphs.diagram.text import draw_text

__all__ = ["draw_text", "mermaid", "write_png"]
