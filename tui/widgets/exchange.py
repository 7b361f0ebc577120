"""A question and what came of it, in one column or in two side by side."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from karl.control.events import Compared, Event, Failed, Spoke
from tui.widgets.answer_column import AnswerColumn
from tui.widgets.spoken import AnswerLine, Line

LETTERS = "AB"


class Exchange(Vertical):
    """titles: of the columns of a comparison, "" while it is blind; None: one system alone is asked."""

    def __init__(self, question: str, titles: Sequence[str] | None) -> None:
        super().__init__()
        self.question = question
        self.battle: Compared | None = None
        self._names = dict(zip(LETTERS, titles, strict=False)) if titles is not None else {}
        columns = {letter: AnswerColumn(_title(letter, name)) for letter, name in self._names.items()}
        self._columns = columns or {"": AnswerColumn()}

    def compose(self) -> ComposeResult:
        yield Line(f"> {self.question}", classes="question")
        with Horizontal(classes="columns"):
            yield from self._columns.values()
        yield Line("", classes="verdict")

    def on_mount(self) -> None:
        self.query_one(".verdict").display = False

    @property
    def answers(self) -> list[AnswerLine]:
        return [column.answer for column in self._columns.values() if column.answer is not None]

    def hear(self, event: Event) -> None:
        match event:
            case Spoke(letter=letter):
                self._columns[letter].hear(event)
            case Compared():
                self._stand(event)
            case Failed() if "" not in self._columns:
                for column in self._columns.values():
                    column.stop()
                self._tell("cancelled; nothing was stored" if event.cancelled else f"no answers: {event.reason}")
            case _:
                # What comes before a comparison, the loading, is the same for both.
                for column in self._columns.values():
                    column.hear(event)

    def _stand(self, battle: Compared) -> None:
        self.battle = battle
        for entrant in battle.entrants:
            if entrant.system:
                name = self._names[entrant.letter] or entrant.system
                self._columns[entrant.letter].name_it(_title(entrant.letter, name), entrant.trace_id)
        if battle.vote:
            note = f" ({battle.note})" if battle.note else ""
            self._tell(f"voted {battle.vote}{note}")
        elif not battle.choices:
            self._tell("neither answered: there is nothing to vote on")

    def _tell(self, text: str) -> None:
        verdict = self.query_one(".verdict", Line)
        verdict.display = True
        verdict.say(text)


def _title(letter: str, name: str) -> str:
    return f"{letter}: {name}" if name else letter
