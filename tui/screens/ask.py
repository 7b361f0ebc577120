"""The room where questions are asked: of one checkpoint, or of two side by side, with a vote.

The models live in a process of their own (karl.control.answerer), which writes answers, battles and votes to the store.
It is started when a question is being typed, and ends with the room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from karl.control.answerer import Answerer
from karl.control.events import LAST, Answered, Compared, Event, Failed, Loading, Ready
from karl.control.respondents import Respondents, Setup, first_setup, read_respondents
from store import queries
from store.errors import KarlError
from store.session import Store
from tui.documents import open_document
from tui.doors import open_trace
from tui.reading.passages import Passage
from tui.screens.ask_setup import AskSetupScreen
from tui.screens.base import RoomScreen
from tui.screens.passages import PassagesScreen
from tui.screens.scoreboard import ScoreboardScreen
from tui.threads import in_thread
from tui.widgets.exchange import Exchange
from tui.widgets.question_input import QuestionInput
from tui.widgets.spoken import AnswerLine, PassageLine
from tui.widgets.talk import Talk
from tui.widgets.vote_bar import VoteBar

EMPTY = """\
No corpus to ask about yet. Type one of these in another terminal:

    karl demo
    karl ingest FOLDER --name NAME"""


class AskScreen(RoomScreen):
    ROOM = "ask"
    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", tooltip="cancel what is under way, or leave the question's line"),
        Binding("a", "type", "Ask"),
        Binding("c", "choose", "Choose"),
        Binding("t", "trace", "Trace"),
        Binding("o", "open_source", "Open the passage's document", show=False),
        Binding("v", "vote", "Vote", show=False),
        Binding("b", "board", "Board", tooltip="scoreboard: who was preferred"),
        Binding("pageup", "page(-1)", "Scroll up", show=False),
        Binding("pagedown", "page(1)", "Scroll down", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._offers: Respondents | None = None
        self._setup: Setup | None = None
        self._answerer: Answerer | None = None
        self._state = ""
        self._since: float | None = None  # when what is under way began
        self._asking: Worker[None] | None = None  # a question, or a vote, while it is under way

    def compose_room(self) -> ComposeResult:
        yield Static(EMPTY, id="empty", markup=False)
        yield Static(id="who", markup=False)
        yield Talk()
        yield VoteBar()
        yield QuestionInput()

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#empty").display = False
        self.query_one(QuestionInput).focus()
        self.set_interval(1.0, self._count)

    async def on_unmount(self) -> None:
        if self._answerer is not None:
            await self._answerer.aclose()

    # -- what can be asked -------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        return partial(read_respondents, self.desk.store, self.desk.settings) if afresh or self._setup is None else None

    def show(self, view: Respondents) -> str:
        self._offers = view
        if self._setup is None or self._setup.corpus not in view.corpora:
            self._setup = first_setup(view)
        self.query_one("#empty").display = self._setup is None
        for name in ("#who", "#talk", "#question"):
            self.query_one(name).display = self._setup is not None
        if self._setup is not None:
            self.query_one("#who", Static).update(self._setup.line)
        return self._told()

    def action_choose(self) -> None:
        if self._offers is not None and self._setup is not None:
            self.app.push_screen(AskSetupScreen(self._offers, self._setup), self._take)

    def _take(self, setup: Setup | None) -> None:
        if setup is None or self._setup is None:
            return
        if setup.models != self._setup.models and self._answerer is not None:
            # Models that nobody asks any more should not stay in memory.
            self.run_worker(self._answerer.aclose(), group="closing")
            self._answerer = None
        self._setup = setup
        self.query_one("#who", Static).update(setup.line)
        self.query_one(QuestionInput).focus()
        self._say_state("")

    # -- asking ------------------------------------------------------------------------------------------------------

    @property
    def _living(self) -> Answerer:
        self._answerer = self._answerer or Answerer(self.desk.settings)
        return self._answerer

    @on(QuestionInput.Typing)
    def _warm_up(self) -> None:
        """A model takes seconds to load: as many as a question takes to type."""
        if self._setup is not None and self._answerer is None:
            self._follow(self._living.load(self._setup.systems, self._setup.corpus), None)

    @on(QuestionInput.Asked)
    def _ask(self, event: QuestionInput.Asked) -> None:
        setup = self._setup
        if setup is None:
            return
        if self._asking is not None:
            self.notify("still answering; Escape cancels", severity="warning")
            return
        self.query_one(QuestionInput).take()
        alone = len(setup.players) == 1
        titles = None if alone else ["" if setup.blind else setup.title(player) for player in setup.players]
        if alone:
            stream = self._living.ask(setup.systems[0], setup.corpus, event.question)
        else:
            stream = self._living.compare(setup.systems, setup.corpus, event.question, blind=setup.blind)
        self._asking = self._follow(stream, self.query_one(Talk).begin(event.question, titles))

    def _follow(self, stream: AsyncGenerator[Event, None], exchange: Exchange | None) -> Worker[None]:
        return self.run_worker(self._followed(stream, exchange), group="asking", exit_on_error=False)

    async def _followed(self, stream: AsyncGenerator[Event, None], exchange: Exchange | None) -> None:
        """exchange None: models are loaded, and no question asked yet."""
        self._since = time.monotonic()
        if exchange is None:
            self._say_state("loading the model")
        try:
            async for event in stream:
                self._hear(event, exchange)
        except asyncio.CancelledError:
            if self.is_attached:
                self._hear(Failed("cancelled", cancelled=True), exchange)
            raise
        except (KarlError, OSError) as exc:
            self._hear(Failed(str(exc)), exchange)

    def _hear(self, event: Event, exchange: Exchange | None) -> None:
        if exchange is not None:
            exchange.hear(event)
            self.query_one(Talk).keep_up()
        if isinstance(event, LAST):
            self._asking = None if exchange is not None else self._asking
            self._since = time.monotonic() if self._asking is not None else None
        match event:
            case Loading(text=text):
                self._say_state(text)
            case Ready(models=models) if self._asking is None:
                self._say_state(f"ready: {', '.join(models)}")
            case Failed(reason=reason):
                self._say_state(reason)
            case Compared() if event.choices:
                self._say_state(f"battle {event.key} has no vote yet")
                self.query_one(VoteBar).ask(event.key, event.choices)
            case Answered() | Compared():
                self._say_state("")
            case _:
                self._say_state("answering; Escape cancels")

    @on(Worker.StateChanged)
    def _asking_ended(self, event: Worker.StateChanged) -> None:
        if event.worker.group == "asking" and event.state is WorkerState.ERROR:
            self._asking = self._since = None
            self.say(f"the question failed: {event.worker.error}", failed=True)

    def _say_state(self, text: str) -> None:
        if text != self._state:
            self._state = text
            self._tell_state()

    def _count(self) -> None:
        if self._since is not None:
            self._tell_state()

    def _told(self) -> str:
        seconds = f", {time.monotonic() - self._since:.0f} s" if self._since is not None else ""
        return f"{self._state}{seconds}" if self._state else self.desk.source

    def _tell_state(self) -> None:
        if self.is_current:
            self.say(self._told())

    # -- what came of it ---------------------------------------------------------------------------------------------

    @on(PassageLine.Opened)
    def _open_passages(self, event: PassageLine.Opened) -> None:
        self.app.push_screen(PassagesScreen(event.passages), self._open_document)

    def _open_document(self, passage: Passage | None) -> None:
        if passage is not None and self._setup is not None:
            open_document(self, passage, corpus=self._setup.corpus)

    def action_open_source(self) -> None:
        if isinstance(self.focused, PassageLine):
            self._open_document(self.focused.passages[0])
        else:
            self.notify("move to a passage first: down, up", severity="warning")

    @on(AnswerLine.Opened)
    def _open_trace(self, event: AnswerLine.Opened) -> None:
        if not event.trace_id:
            self.notify("its trace is known after the vote, or there is none", severity="warning")
            return
        found = partial(self._show_trace, event.trace_id)
        in_thread(self, partial(_rollout_id, self.desk.store, event.trace_id), found)

    def _show_trace(self, key: str, rollout_id: int | None) -> None:
        if rollout_id is None:
            self.say(f"the trace {key} is not in the store", failed=True)
            return
        open_trace(self, rollout_id)

    @on(VoteBar.Voted)
    def _vote(self, event: VoteBar.Voted) -> None:
        self.query_one(QuestionInput).focus()
        stream = self._living.vote(event.battle, event.choice, note=event.note)
        self._asking = self._follow(stream, self.query_one(Talk).newest)

    @on(VoteBar.Put)
    def _put_off(self, event: VoteBar.Put) -> None:
        self._say_state(f"{self._state}: v votes, and so does `karl arena vote`")
        self.query_one(QuestionInput).focus()

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """What is under way is cancelled; then the line of the question is left, so that keys are keys again."""
        if self._asking is not None:
            self._asking.cancel()
            return
        answers = self.query_one(Talk).answers
        self.set_focus(answers[-1] if answers else None)

    def action_type(self) -> None:
        self.query_one(QuestionInput).focus()

    def action_page(self, by: int) -> None:
        self.query_one(Talk).page(by)

    def action_trace(self) -> None:
        """Of the answer that has the focus, else of the newest."""
        chosen = [self.focused] if isinstance(self.focused, AnswerLine) else self.query_one(Talk).answers[:1]
        for answer in chosen:
            answer.action_open()

    def action_vote(self) -> None:
        exchange = self.query_one(Talk).newest
        battle = exchange.battle if exchange is not None else None
        if battle is not None and battle.choices:
            self.query_one(VoteBar).ask(battle.key, battle.choices)

    def action_board(self) -> None:
        if self._setup is not None:
            self.app.push_screen(ScoreboardScreen(self.desk.store, self._setup.corpus))

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand("Ask: choose", "corpus, checkpoints, attempts, value-guided search", self.action_choose)
        yield SystemCommand("Ask: scoreboard", "who was preferred over this corpus", self.action_board)
        yield SystemCommand("Ask: trace", "of the newest answer", self.action_trace)


def _rollout_id(store: Store, key: str) -> int | None:
    with store.session() as session:
        return queries.rollout_id_by_key(session, key)
