"""The room of one run: how far and how fast it is, where its questions went, what it costs, how it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize

from tui.messages import RolloutsWanted
from tui.reading.charts import USUAL_TITLES, metrics_of
from tui.reading.run import RunDetail, RunReader, RunView, Wanted
from tui.screens.charts import ChartsScreen, Choice
from tui.screens.log import LogScreen
from tui.screens.run_control import Controlled, RunControlScreen
from tui.widgets.counts import CountPanel
from tui.widgets.evaluation import EvaluationPanel
from tui.widgets.funnel import FunnelPanel
from tui.widgets.headline import headline
from tui.widgets.opened import failure_counts, fate_counts
from tui.widgets.pace import PacePanel
from tui.widgets.spending import SpendingPanel
from tui.widgets.stages import StagesPanel
from tui.widgets.told import Told
from tui.widgets.training import TrainingPanel

EMPTY = "No run yet: press 2 to start one, or type `karl demo` in another terminal."


class RunScreen(RunControlScreen):
    ROOM = "run"
    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "next_training", "Series", tooltip="the next training of the run"),
        Binding("v", "charts", "Plots", tooltip="which training, and which of its curves"),
        Binding("l", "log", "Log", tooltip="what the run says, where it has no terminal"),
        Binding("left_square_bracket", "move(-1)", "Earlier run", key_display="[", show=False),
        Binding("right_square_bracket", "move(1)", "Later run", key_display="]", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._reader: RunReader | None = None
        self._view: RunView | None = None
        self._move = 0
        self._series: str | None = None
        self._titles = USUAL_TITLES

    def compose_room(self) -> ComposeResult:
        with VerticalScroll(id="detail"):
            yield Told(EMPTY, id="headline")
            with VerticalScroll(id="left"):
                yield StagesPanel(id="stages")
                yield PacePanel(id="pace")
                yield FunnelPanel(id="funnel")
                yield CountPanel("where they stand: Enter shows their rollouts", empty="no question yet", id="fates")
                yield CountPanel("failed rollouts: Enter shows them", empty="none", id="failures")
                yield SpendingPanel(id="spending")
            with VerticalScroll(id="right"):
                yield TrainingPanel(id="training")
                yield EvaluationPanel(id="evaluation")

    def on_mount(self) -> None:
        self._display_parts(False)

    def commands(self) -> Iterator[SystemCommand]:
        yield from super().commands()
        yield SystemCommand("Next training of the run", "its curves instead", self.action_next_training)
        yield SystemCommand("Choose curves", "which training, and which of its curves", self.action_charts)
        yield SystemCommand("The run's log", "what a run without a terminal says", self.action_log)
        yield SystemCommand("The run before", "made before this one", partial(self.action_move, -1))
        yield SystemCommand("The run after", "made after this one", partial(self.action_move, 1))

    @on(Resize)
    def _lay(self, event: Resize) -> None:
        """What scrolls can have the focus: the whole where it is one column, else each of the two."""
        wide = self.has_class("-wide")
        for name, scrolls in (("#detail", not wide), ("#left", wide), ("#right", wide)):
            self.query_one(name).can_focus = scrolls

    # -- reading -----------------------------------------------------------------------------------------------------

    def come_back(self) -> None:
        """A run that rests is not counted again."""
        self.read()

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        self._reader = self._reader or RunReader(self.desk.store, self.desk.settings)
        if self._view is not None and self._view.run is not None and self.desk.run_id != self._view.run.run_id:
            self._series = None
        move, self._move = self._move, 0
        wanted = Wanted(self.desk.run_id, move, None if move else self._series, metrics_of(self._titles))
        return partial(self._reader.read, wanted, afresh=afresh)

    def show(self, view: RunView) -> str:
        if view.asked != self.desk.run_id:  # another room has chosen another run meanwhile
            self.read(afresh=True)
            return f"reading {self.desk.source}"
        before, self._view = self._view, view
        self._display_parts(view.run is not None)
        self.follow_standing()
        if view.run is None or view.detail is None:
            self.query_one("#headline", Told).say(EMPTY)
            return f"no run  {self.desk.source}"
        if before is None or before.run is None or before.run.run_id != view.run.run_id:
            self._begin(view)
        self.query_one("#headline", Told).say(headline(view))
        self.query_one(StagesPanel).stages = view.stages
        self.query_one(PacePanel).show(view)
        if before is None or before.detail is not view.detail:  # of a run that rests it is the one that was kept
            self._show_detail(view.run.run_id, view.detail)
        return f"{view.run.name}: {view.standing}  read {datetime.now().astimezone():%H:%M:%S}  {self.desk.source}"

    def _begin(self, view: RunView) -> None:
        """Of a run that was not shown before."""
        assert view.run is not None
        self.desk.run_id = view.run.run_id
        if view.gone:
            self.notify(f"run {view.asked} is gone; this is the newest", severity="warning")
        for name in ("#detail", "#left", "#right"):
            self.query_one(name).scroll_home(animate=False)

    def _show_detail(self, run_id: int, detail: RunDetail) -> None:
        self.query_one(FunnelPanel).iterations = detail.iterations
        self.query_one("#fates", CountPanel).show(*fate_counts(run_id, detail.iterations))
        self.query_one("#failures", CountPanel).show(*failure_counts(run_id, detail.failures))
        self.query_one(SpendingPanel).show(detail.spending)
        self.query_one(TrainingPanel).show(detail.training, titles=self._titles)
        self.query_one(EvaluationPanel).show(detail.evaluation)

    def _display_parts(self, shown: bool) -> None:
        for name in ("#left", "#right"):
            self.query_one(name).display = shown

    # -- keys --------------------------------------------------------------------------------------------------------

    def controlled(self) -> Controlled | None:
        if self._view is None or self._view.run is None:
            return None
        run = self._view.run
        return Controlled(run.name, self._view.standing, None if run.evaluation else run.planned)

    def action_move(self, step: int) -> None:
        self._move = step
        self.read(afresh=True)

    def action_next_training(self) -> None:
        names = self._trainings()
        if names:
            held = self._series if self._series in names else names[0]
            place = (names.index(held) + 1) % len(names)
            # The first is the newest: following it again, a training that begins later is shown at once.
            self._series = names[place] if place else None
            self.read(afresh=True)

    def action_charts(self) -> None:
        training = self._view.detail.training if self._view and self._view.detail else None
        if training is None:
            self.notify("nothing was trained yet")
            return
        self.app.push_screen(ChartsScreen(training, self._titles), self._choose)

    def _choose(self, choice: Choice | None) -> None:
        if choice is not None:
            names = self._trainings()
            self._series = None if names and choice.series == names[0] else choice.series
            self._titles = choice.titles
            self.read(afresh=True)

    def action_log(self) -> None:
        if self._view is not None and self._view.run is not None:
            self.app.push_screen(LogScreen(self.desk.settings, self._view.run.name))

    @on(RolloutsWanted)
    def _open(self, event: RolloutsWanted) -> None:
        self.desk.filter = event.filter
        self.app.switch_mode("traces")

    def _trainings(self) -> tuple[str, ...]:
        training = self._view.detail.training if self._view and self._view.detail else None
        return training.names if training is not None else ()
