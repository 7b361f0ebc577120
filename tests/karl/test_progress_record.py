"""What others see of a run that goes on: a row a stage of the real loop, and no harm where none can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from karl.context import Context
from karl.progress_record import REFUSED_SECONDS, SECONDS, RecordingReporter
from karl.reporting import SilentReporter
from karl.synthesis import deduplicate, synthesize
from store import queries
from store.models import StageProgress
from tests.karl.loop_kit import make_context, many, reader, units


class Clock:
    """Of the module that keeps the progress: time passes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("karl.progress_record.time.monotonic", lambda: self.now)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    made = make_context(tmp_path, generator_runs=6, held_out=2)
    yield replace(made, reporter=RecordingReporter(made.store, made.run_id, SilentReporter()))
    made.store.close()


def rows(context: Context) -> list[StageProgress]:
    with context.store.session() as session:
        return queries.progress_of_run(session, context.run_id)


def facts(row: StageProgress) -> tuple[str, int, int, int, bool]:
    return row.title, row.first, row.done, row.total, row.over


async def test_stages_of_the_loop_and_what_an_earlier_start_made(context: Context):
    policy = reader()
    await synthesize(context, 1, policy)
    await deduplicate(context, 1)
    (row,) = [row for row in rows(context) if "writing questions" in row.title]
    assert facts(row) == ("iteration 1: writing questions", 0, 6, 6, True)
    assert row.under_way == 0
    await synthesize(context, 1, policy)
    (again,) = [row for row in rows(context) if "writing questions" in row.title]
    assert facts(again) == ("iteration 1: writing questions", 6, 6, 6, True)


async def test_rollouts_under_way_are_told_before_the_first_is_done(context: Context):
    seen: list[tuple[int, int]] = []

    def watched(product: str, person: str) -> str:
        (row,) = rows(context)
        seen.append((row.under_way, row.done))
        return person

    wanted = many(units(context, 1)[0], 7)
    runner = context.runner("solve", reader(watched), context.searcher)
    with context.reporter.stage("solving", len(wanted)) as progress:
        collector = context.collector(context.corpus)
        await collector.collect(wanted, runner=runner, run_id=context.run_id, progress=progress)
    assert seen[0] == (5, 0)
    assert facts(rows(context)[0]) == ("solving", 0, 7, 7, True)


def test_a_second_passes_between_two_rows(context: Context, monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    with context.reporter.stage("solving", 10) as progress:
        progress.advance(3)
        assert rows(context)[0].done == 0
        clock.now += SECONDS
        progress.advance(1, note="loss 0.5")
        assert (rows(context)[0].done, rows(context)[0].note) == (4, "loss 0.5")
        progress.reach(8, 12)
    assert facts(rows(context)[0]) == ("solving", 0, 8, 12, True)


def test_a_stage_that_ends_badly_is_over_where_it_was(context: Context):
    with pytest.raises(RuntimeError), context.reporter.stage("solving", 10) as progress:
        progress.advance(3)
        raise RuntimeError
    assert facts(rows(context)[0]) == ("solving", 0, 3, 10, True)


def test_a_database_that_refuses_costs_rows_but_not_the_run(context: Context, monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)

    def rename(old: str, new: str) -> None:
        with context.store.session() as session:
            session.connection().execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("stageprogress", "away")
    with context.reporter.stage("solving", 10, done=2) as progress:
        progress.advance(1)
        rename("away", "stageprogress")
        clock.now += REFUSED_SECONDS - 1  # it is left alone for a while: each refusal may take half a minute
        progress.advance(1)
        progress.under_way(4)
        assert rows(context) == []
        clock.now += 1
        progress.advance(1)
        assert facts(rows(context)[0]) == ("solving", 2, 5, 10, False)
        assert rows(context)[0].under_way == 4
        rename("stageprogress", "away")
    rename("away", "stageprogress")
    assert rows(context)[0].over is False
