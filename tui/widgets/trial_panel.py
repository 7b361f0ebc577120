"""One question through the edited graph: the diagram with the node that it is in, and the trace as it grows."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Input, Static

from karl.control.events import Answered, Event, Failed, NodeEntered, Token
from karl.control.workshop import Diagram
from tui.messages import QuestionPut
from tui.widgets.diagram_view import DiagramView
from tui.widgets.trace_lines import event_text

SECONDS = 0.1  # from an event to its drawing: tokens come faster


class QuestionLine(Input):
    """Escape leaves it for the trace: its keys are keys again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave the line", show=False)]

    def action_leave(self) -> None:
        self.screen.query_one("#trace").focus()


class TrialPanel(Container):
    """Posts `QuestionPut`. `node`: of the outermost rollout, "" before and after."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._diagram: Diagram | None = None
        self._text = Text()
        self._due = False
        self._outer = ""
        self.node = ""
        self.trace_id = ""  # of the last rollout that is stored

    def compose(self) -> ComposeResult:
        yield QuestionLine(placeholder="a question; Enter asks it", id="question", compact=True)
        with Container(id="heard"):
            yield DiagramView(id="where")
            with VerticalScroll(id="trace"):
                yield Static(id="told", markup=False)

    def suggest(self, question: str) -> None:
        """A stored question, unless the user has typed one."""
        field = self.query_one("#question", Input)
        field.value = field.value or question

    def begin(self, diagram: Diagram | None, said: str) -> None:
        self.query_one("#trace").border_subtitle = ""
        self._diagram, self._text, self._outer = diagram, Text.assemble((said, "dim")), ""
        self._go_to("")
        self._draw_soon()

    def hear(self, event: Event) -> None:
        """Attempts speak at once: of them only what they came to is shown."""
        if isinstance(event, NodeEntered):
            self._outer = self._outer or event.rollout
        if getattr(event, "rollout", self._outer) != self._outer:
            return
        if isinstance(event, NodeEntered):
            self._go_to(event.node)
        if isinstance(event, Answered | Failed):
            self.trace_id = event.trace_id
            self.query_one("#trace").border_subtitle = "o opens it in the room of traces" if event.trace_id else ""
        if isinstance(event, Token):
            self._text.append(event.text)
        elif line := event_text(event):
            self._text.append("" if self._text.plain.endswith("\n") else "\n").append_text(line)
            # What a turn samples begins on a line of its own.
            self._text.append("\n" if isinstance(event, NodeEntered) else "")
        self._draw_soon()

    def end(self, said: str = "") -> None:
        """said: what went wrong, where no event told it."""
        self._text.append(f"\n{said}" if said else "", "bold")
        self._go_to("")
        self._draw_soon()

    def _go_to(self, node: str) -> None:
        self.node = node
        self.query_one(DiagramView).show(self._diagram, node=node)
        self.query_one("#trace").border_title = f"now in {node}" if node else "trace"

    def _draw_soon(self) -> None:
        if not self._due:
            self._due = True
            self.set_timer(SECONDS, self._draw)

    def _draw(self) -> None:
        self._due = False
        self.query_one("#told", Static).update(self._text.copy())
        self.query_one("#trace", VerticalScroll).scroll_end(animate=False)

    @on(Input.Submitted, "#question")
    def _ask(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.post_message(QuestionPut(event.value.strip()))
            self.query_one("#trace").focus()
