"""A store with runs in it, filled as karl fills it, and what the screen shows of it as lines of text."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from karl.control.place import Settings
from store.models import Corpus, EvalResult, Iteration
from store.queries import (
    RolloutLinks,
    add_metrics,
    create_run,
    finish_stage,
    iteration_row,
    save_eval_result,
    save_rollouts,
    set_run_state,
)
from store.session import Session, Store
from store.types import Failure, FailureKind, Fate, RolloutStatus, RunState, Stage
from tests.store.records import a_rollout, some_tasks
from tui.app import KarlApp

CELL = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')
CELL_WIDTH = 12.2  # of textual's SVG export
PATIENCE = 150  # pauses of 0.1 s

# 20 proposed > 18 well formed > 13 deduplicated > 12 rolled out > 6 mixed > 5 kept
FATES = [
    *[Fate.MALFORMED] * 2,
    *[Fate.DUPLICATE] * 5,
    Fate.INCOMPLETE,
    *[Fate.ALL_WRONG] * 6,
    Fate.INVALID,
    *[Fate.KEPT] * 5,
]


def figure(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}


def add_arm(session: Session, run_id: int, arm: str, *, rate: float, iteration: int = 0, at: float = 1.0) -> None:
    figures: dict[str, Any] = {"pass@1": figure(rate), "max@8": figure(rate + 0.2), "searches": figure(1.5)}
    save_eval_result(session, EvalResult(run_id=run_id, arm=arm, iteration=iteration, temperature=at, figures=figures))


def add_losses(session: Session, run_id: int, series: str, *, values: list[float], start: int = 0) -> None:
    points = [(start + step, "loss", value) for step, value in enumerate(values)]
    if series.startswith("oapl"):
        points += [(start + step, "logratio_winners", value) for step, value in enumerate(values)]
        points += [(start + step, "logratio_losers", -value) for step, value in enumerate(values)]
    add_metrics(session, run_id, iteration=1, series=series, points=points)


def finish_iteration(session: Session, run_id: int, *, number: int) -> None:
    for stage in Stage:
        finish_stage(session, run_id, number=number, stage=stage, seconds=2.0)


def fill_done(session: Session, name: str = "notes-1") -> int:
    """A finished run of one iteration with two trainings, three evaluations and three failures; its id."""
    corpus = Corpus(name=f"{name}-corpus", source="notes")
    session.add(corpus)
    session.flush()
    run_id = create_run(session, name=name, corpus_id=corpus.id or 0, settings={"iterations": 1}).id or 0
    finish_iteration(session, run_id, number=1)
    some_tasks(session, run_id=run_id, corpus_id=corpus.id or 0, fates=FATES)
    add_losses(session, run_id, "oapl-1", values=[0.5, 0.4, 0.25])
    add_losses(session, run_id, "sft-1", values=[0.75, 0.625])
    add_arm(session, run_id, "base", rate=0.25)
    add_arm(session, run_id, "oapl-1", rate=0.5, iteration=1)
    add_arm(session, run_id, "base@0.5", rate=0.375, at=0.5)
    add_failures(session, run_id, name=name, kinds=[FailureKind.ENGINE, FailureKind.TOOL, FailureKind.ENGINE])
    set_run_state(session, run_id, state=RunState.DONE)
    return run_id


def add_failures(session: Session, run_id: int, *, name: str, kinds: list[FailureKind]) -> None:
    failed = [
        a_rollout(f"{name}/failed/{n}", status=RolloutStatus.FAILED, failure=Failure(kind, "gone"))
        for n, kind in enumerate(kinds)
    ]
    save_rollouts(session, [(record, RolloutLinks(run_id=run_id, iteration=1)) for record in failed])


def fill_running(session: Session, name: str = "filings-1") -> int:
    """A run that trains in the second of three iterations; its id."""
    corpus = Corpus(name=f"{name}-corpus", source="filings")
    session.add(corpus)
    session.flush()
    run_id = create_run(session, name=name, corpus_id=corpus.id or 0, settings={"iterations": 3}).id or 0
    finish_iteration(session, run_id, number=1)
    row: Iteration = iteration_row(session, run_id, number=2)
    row.stage = Stage.TRAIN
    for number, fates in ((1, FATES), (2, FATES[:9])):
        some_tasks(session, run_id=run_id, corpus_id=corpus.id or 0, fates=fates, iteration=number)
    add_losses(session, run_id, "oapl-2", values=[0.5, 0.375])
    return run_id


def filled(store: Store) -> tuple[int, int]:
    """Ids of a finished run and of a newer one that is running."""
    with store.session() as session:
        return fill_done(session), fill_running(session)


def app_on(store: Store, *, room: str = "home") -> KarlApp:
    """Over the store's own folder as the home."""
    return KarlApp(store, Settings(home=Path(str(store.url.database)).parent), room=room)


def shown(app: KarlApp) -> list[str]:
    """The screen's lines of text, as its picture has them."""
    lines: dict[float, str] = {}
    cells = [(float(y), float(x), html.unescape(text)) for x, y, text in CELL.findall(app.export_screenshot())]
    for y, x, text in sorted(cells):
        lines[y] = lines.get(y, "").ljust(round(x / CELL_WIDTH)) + text.replace("\xa0", " ")
    return list(lines.values())


async def until(pilot: Pilot[None], *said: str) -> list[str]:
    """Wait until every text is on the screen. Raises: AssertionError with the screen, after fifteen seconds."""
    lines: list[str] = []
    for _ in range(PATIENCE):
        assert isinstance(pilot.app, KarlApp)
        lines = shown(pilot.app)
        if all(any(text in line for line in lines) for text in said):
            return lines
        await pilot.pause(0.1)
    raise AssertionError(f"{said} never came on the screen:\n" + "\n".join(lines))
