"""An editor for graphs and prompts: highlighted in the colours of the theme, marks beside the lines' numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.strip import Strip
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from karl.control.workshop import Mark

THEME = "karl"
# What tree-sitter's queries for YAML and Markdown call the parts of a text -> the app's colour, and how it is set.
PARTS = {
    "yaml.field": ("primary", "bold"),
    "heading": ("primary", "bold"),
    "heading.marker": ("primary", ""),
    "string": ("foreground", ""),
    "number": ("accent", ""),
    "boolean": ("accent", "italic"),
    "constant.builtin": ("accent", "italic"),
    "type": ("secondary", ""),
    "comment": ("secondary", "italic"),
    "list.marker": ("accent", ""),
    "link.label": ("primary", ""),
    "link.uri": ("primary", "underline"),
    "text.literal": ("success", ""),
    "punctuation.special": ("secondary", ""),
}


class CodeEditor(TextArea):
    """`marks`: those of this text alone. Escape leaves it; Tab indents."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+home", "go_to_edge(False)", "To the first line", show=False),
        Binding("ctrl+end", "go_to_edge(True)", "To the last line", show=False),
    ]

    def __init__(self, *, language: str, id: str | None = None) -> None:
        # Prompts are prose in long lines; a graph's lines mean something by where they begin.
        wraps = language == "markdown"
        super().__init__(
            language=language, soft_wrap=wraps, tab_behavior="indent", show_line_numbers=True, id=id, theme="css"
        )
        self.indent_width = 2
        self._marked: dict[int, bool] = {}
        self._underlined: dict[int, list[int]] = {}

    def on_mount(self) -> None:
        self._take_colours()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._take_colours())

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """An error's line is marked with a cross, a warning's with an exclamation mark; an error hides a warning."""
        own = [mark for mark in marks if not mark.elsewhere]
        marked = {mark.line - 1: any(other.error for other in own if other.line == mark.line) for mark in own}
        underlined: dict[int, list[int]] = {}
        for mark in own:
            underlined.setdefault(mark.line - 1, []).append(mark.column - 1)
        if (marked, underlined) != (self._marked, self._underlined):
            self._marked, self._underlined = marked, underlined
            self.notify_style_update()
            self.refresh()

    def go_to(self, line: int, column: int) -> None:
        """Both from 1."""
        self.move_cursor((line - 1, column - 1), center=True)
        self.focus()

    def action_go_to_edge(self, end: bool) -> None:
        self.move_cursor(self.document.end if end else (0, 0))

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        for column in self._underlined.get(line_index, ()):
            line.stylize("underline", min(column, max(0, len(line) - 1)))
        return line

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        line = self._line_of(y)
        if line not in self._marked:
            return strip
        error = self._marked[line]
        colour = self.app.theme_variables["error" if error else "warning"]
        sign = Segment("✗" if error else "!", Style(color=_hex(colour) or None, bold=True) + _background(strip))
        place = self.gutter_width - 2
        return Strip.join([strip.crop(0, place), Strip([sign], 1), strip.crop(place + 1)])

    def _line_of(self, y: int) -> int | None:
        """None below the text, and for the lines that a wrapped one goes on in."""
        row = y + self.scroll_offset.y
        if row >= self.wrapped_document.height:
            return None
        line, column = self.wrapped_document.offset_to_location(Offset(0, row))
        return None if column else line

    def _take_colours(self) -> None:
        variables = self.app.theme_variables
        styles = {part: Style.parse(f"{kind} {_hex(variables[name])}".strip()) for part, (name, kind) in PARTS.items()}
        self.register_theme(TextAreaTheme(THEME, syntax_styles=styles))
        self.theme = THEME


def _hex(colour: str) -> str:
    """Rich knows no transparency. A theme of the terminal's own colours has names instead; there, the default is it."""
    return colour[:7] if colour.startswith("#") else ""


def _background(strip: Strip) -> Style:
    first = next(iter(strip), None)
    return Style(bgcolor=first.style.bgcolor) if first and first.style else Style()
