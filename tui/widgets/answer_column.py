"""What one system tells about a question: its searches while they happen, its words, its answer with the citations."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from karl.control.events import Answered, Event, Failed, Hits, Told, told
from tui.reading.passages import passage_of
from tui.widgets.spoken import AnswerLine, Line, PassageLine, citation_line
from tui.widgets.trace_lines import no_answer

REDRAWS = 8  # a second, of a turn that is being spoken


class AnswerColumn(Vertical):
    def __init__(self, title: str = "") -> None:
        super().__init__()
        self._title = title
        self._speaking = ""
        self._stale = False
        self._answer: AnswerLine | None = None

    def compose(self) -> ComposeResult:
        title = Line(self._title, classes="title")
        title.display = bool(self._title)
        yield title
        yield Line("", classes="speaking")

    def on_mount(self) -> None:
        self._redraw = self.set_interval(1 / REDRAWS, self._draw_speaking)

    @property
    def answer(self) -> AnswerLine | None:
        return self._answer

    def name_it(self, title: str, trace_id: str) -> None:
        """The battle was voted on: who it was."""
        self.query_one(".title", Line).say(title)
        if self._answer is not None:
            self._answer.trace_id = trace_id

    def stop(self) -> None:
        """It says no more: what it was saying is given up."""
        self._speaking, self._stale = "", True
        self._draw_speaking()
        self._redraw.stop()

    def hear(self, event: Event) -> None:
        said = told(event)
        if said is None:
            return
        if said.last:
            self._end(said, event)
        elif said.kind == "line":
            self._add(_line(said, event))
        else:
            self._speaking = "" if said.kind == "turn" else self._speaking + said.text
            self._stale = True

    def _end(self, said: Told, event: Event) -> None:
        self.stop()
        trace_id = event.trace_id if isinstance(event, Answered | Failed) else ""
        failed = said.kind == "failed"
        text = said.text if not failed else ("cancelled" if _cancelled(event) else no_answer(said.text))
        self._answer = AnswerLine(text, trace_id=trace_id, classes="failed" if failed else "answer")
        self._add(self._answer)
        if said.explanation:
            self._add(Line(said.explanation, classes="explanation"))
        cited = event.citations if isinstance(event, Answered) else said.citations
        for one in cited:
            self._add(citation_line(passage_of(one)))
        if not _cancelled(event):
            self._add(Line(_spent(said, event), classes="spent"))

    def _add(self, line: Line) -> None:
        self.mount(line, before=self.query_one(".speaking"))

    def _draw_speaking(self) -> None:
        if self._stale:
            self._stale = False
            line = self.query_one(".speaking", Line)
            line.display = bool(self._speaking)
            line.say(self._speaking)


def _line(said: Told, event: Event) -> Line:
    if isinstance(event, Hits) and event.hits:
        return PassageLine(said.text, [passage_of(hit) for hit in event.hits], classes="happened")
    return Line(said.text, classes="happened")


def _cancelled(event: Event) -> bool:
    return isinstance(event, Failed) and event.cancelled


def _spent(said: Told, event: Event) -> str:
    """`0.82 sure, 2 searches, 1.5 s, 310 tokens read, 39 sampled`."""
    parts = [] if said.confidence is None else [f"{said.confidence:.2f} sure"]
    parts += [f"{said.searches} search{'' if said.searches == 1 else 'es'}", f"{said.seconds:.1f} s"]
    if isinstance(event, Answered):
        parts.append(f"{event.usage.prompt_tokens:,} tokens read, {event.usage.sampled_tokens:,} sampled")
    return ", ".join(parts)
