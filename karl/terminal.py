"""The reporter that draws: progress bars with rate and remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

PLAIN_SECONDS = 15.0  # between two lines where there is no terminal


class RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.1f}/s" if speed else "", style="cyan")


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, count: int = 1, note: str = "", total: int | None = None) -> None:
        self._progress.update(self._task, advance=count, note=note, total=total)

    def reach(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def under_way(self, count: int) -> None:
        """The bar has no room for it."""


class _Lines:
    """A line at the start, every now and then, and at the end."""

    def __init__(self, console: Console, title: str, total: int, done: int) -> None:
        self._console, self._title, self._total, self._done = console, title, total, done
        self._began = self._said = time.monotonic()
        self._first, self._note, self._heard = done, "", False

    def advance(self, count: int = 1, note: str = "", total: int | None = None) -> None:
        self._done += count
        self._note, self._total = note, total or self._total
        if time.monotonic() - self._said > PLAIN_SECONDS:
            self.say()

    def reach(self, done: int, total: int) -> None:
        if not self._heard:
            # What was there before (a cache, a killed run) took none of this stage's time.
            self._first, self._heard = done, True
        self.advance(done - self._done, total=total)

    def under_way(self, count: int) -> None:
        """A line says what is done."""

    def say(self) -> None:
        self._said = time.monotonic()
        elapsed = max(self._said - self._began, 1e-6)
        rate = (self._done - self._first) / elapsed
        left = f", about {(self._total - self._done) / rate:.0f} s left" if rate and self._done < self._total else ""
        note = f"  {self._note}" if self._note else ""
        self._console.print(
            f"{self._title}: {self._done}/{self._total} in {elapsed:.0f} s ({rate:,.1f}/s{left}){note}", soft_wrap=True
        )


class TerminalReporter:
    """Implements `karl.reporting.Reporter` on a rich console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[_Bar | _Lines]:
        if not self.console.is_terminal:
            lines = _Lines(self.console, title, total, done)
            try:
                yield lines
            finally:
                lines.say()
            return
        columns = (
            TextColumn("{task.description:<36}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            yield _Bar(progress, progress.add_task(title, total=total, completed=done, note=""))
