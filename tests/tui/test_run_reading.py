"""Rates, remaining times, throughput and the end of a log: what the room of a run computes before it draws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.models import StageProgress
from store.queries import Finished
from store.session import Store
from tests.tui.kit import app_on, fill_running, until
from tests.tui.run_kit import owned
from tui.reading.evaluation import ArmView
from tui.reading.figures import Figure
from tui.reading.log import FIRST, LogTail
from tui.reading.stages import StageView, StageWatch
from tui.reading.throughput import throughput
from tui.widgets.evaluation import evaluation_lines
from tui.widgets.plot import Ticks
from tui.widgets.stages import EMPTY, stage_lines

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_row(done: int, *, seconds: float, first: int = 0, over: bool = False, title: str = "solving") -> StageProgress:
    row = StageProgress(run_id=1, title=title, done=done, first=first, total=100, under_way=4, over=over)
    row.began_at = NOON.replace(tzinfo=None)  # as SQLite gives it back
    row.updated_at = row.began_at + timedelta(seconds=seconds)
    return row


def test_a_rate_is_that_of_the_last_half_minute():
    watch = StageWatch()
    (begun,) = watch.views([a_row(50, seconds=10, first=40)], live=True)
    assert (begun.rate, begun.left, begun.under_way) == (1.0, 50.0, 4)
    for seconds, done in ((20, 60), (30, 62), (40, 64)):
        (later,) = watch.views([a_row(done, seconds=seconds, first=40)], live=True)
    assert later.rate == pytest.approx(14 / 30)
    (dead,) = watch.views([a_row(64, seconds=40, first=40)], live=False)
    assert (dead.left, dead.under_way) == (None, 0)
    (over,) = watch.views([a_row(100, seconds=50, over=True)], live=True)
    assert (over.rate, over.left) == (2.0, None)
    (again,) = watch.views([a_row(0, seconds=60)], live=True)
    assert (again.rate, again.left) == (None, None)


def test_stages_under_way_come_first():
    rows = [a_row(100, seconds=50, over=True, title="writing"), a_row(1, seconds=40)]
    assert [view.title for view in StageWatch().views(rows, live=True)] == ["solving", "writing"]


def test_lines_of_stages():
    stages = [
        StageView("iteration 2: solving a long while", 1200, 4800, 12.5, 288.0, 8, "loss +0.50", over=False),
        StageView("writing", 40, 100, None, None, 0, "", over=True),
    ]
    wide = stage_lines(stages, width=140)
    assert wide[0].split("█")[0] == "iteration 2: solving a long while "
    assert wide[0].endswith("1,200/4,800  25%  12.5/s  4 min 48 s left  loss +0.50")
    assert wide[1].endswith("40/100  40%          ended")
    narrow = stage_lines(stages, width=60)
    assert narrow[0].startswith("iteration … ")
    assert max(map(len, narrow)) <= 60
    assert stage_lines([], width=60) == [EMPTY]


def written(*times: float) -> list[Finished]:
    return [Finished(at(seconds), 100, 10, 2) for seconds in times]


def test_throughput_is_counted_between_two_writings():
    rollouts = written(*[0.0] * 96, *[60.0] * 96, *[100.0] * 96)
    found = throughput(rollouts, began=at(-50))
    assert found is not None
    assert (found.seconds, found.newest) == (40.0, at(100))
    assert (found.rollouts, found.read, found.sampled, found.searches) == (2.4, 240.0, 24.0, 4.8)


def test_throughput_of_a_stage_begins_with_it():
    found = throughput(written(0.0, 50.0, 51.0), began=at(41))
    assert found is not None
    assert (found.seconds, found.rollouts) == (10.0, 0.2)
    assert throughput([], began=None) is None
    assert throughput(written(1.0, 1.2), began=None) is None


def an_arm(arm: str, rate: float, *, iteration: int = 0, at_temperature: float = 1.0) -> ArmView:
    figure = Figure(rate, rate - 0.1, rate + 0.2)
    return ArmView(arm, iteration, at_temperature, "8", figure, None, None)


def test_evaluation_lines_begin_at_the_base_of_their_temperature():
    arms = [
        an_arm("base", 0.25),
        an_arm("base@0.5", 0.3, at_temperature=0.5),
        an_arm("oapl-1", 0.4, iteration=1),
        an_arm("sft-1", 0.35, iteration=1),
        an_arm("oapl-2", 0.5, iteration=2),
        an_arm("oapl-2@0.5", 0.55, iteration=2, at_temperature=0.5),
    ]
    lines = {line.label: line for line in evaluation_lines(arms, lambda arm: arm.pass_at_1)}
    assert list(lines) == ["oapl", "sft", "oapl T=0.5"]
    assert lines["oapl"].points == ((0, 0.25), (1, 0.4), (2, 0.5))
    assert [y for _, y in lines["sft"].points] == [0.25, 0.35]
    assert [y for _, y in lines["oapl T=0.5"].points] == [0.3, 0.55]
    assert lines["oapl"].intervals[0] == (0.15, 0.45)
    assert [line.points for line in evaluation_lines(arms, lambda arm: arm.max_at_k)] == [(), (), ()]


def test_ticks_are_short():
    assert Ticks().get_labels_for_ticks([0.0, 0.25, 12_000.0, 1e-5]) == ["0", "0.25", "12,000", "1e-05"]
    assert Ticks(whole=True).get_labels_for_ticks([0.0, 0.5, 1.0, 12_500.0]) == ["0", "", "1", "12.5k"]


def test_a_log_is_followed_through_growth_and_replacement(tmp_path: Path):
    path = tmp_path / "run.log"
    tail = LogTail(path)
    assert tail.read() == ("", False, False)
    path.write_text("\x1b[1mone\x1b[0m\r\ntwo\n", encoding="utf-8")
    assert tail.read() == ("one\ntwo\n", True, True)
    with path.open("ab") as file:
        file.write("thr\N{LATIN SMALL LETTER E WITH ACUTE}e".encode()[:4])  # in the middle of a letter
    assert tail.read() == ("thr", False, True)
    with path.open("ab") as file:
        file.write("\N{LATIN SMALL LETTER E WITH ACUTE}e\n".encode()[1:])
    assert tail.read() == ("\N{LATIN SMALL LETTER E WITH ACUTE}e\n", False, True)
    path.write_text("x\n", encoding="utf-8")  # shorter: begun anew
    assert tail.read() == ("x\n", True, True)
    path.unlink()
    assert tail.read() == ("", True, False)


def test_of_a_long_log_the_end_is_read(tmp_path: Path):
    path = tmp_path / "run.log"
    path.write_text("".join(f"line {number:07}\n" for number in range(20_000)), encoding="utf-8")
    said = LogTail(path).read()
    assert said.text.endswith("line 0019999\n")
    assert said.text.startswith("line ")
    assert FIRST - 13 <= len(said.text) <= FIRST


async def test_the_log_of_a_run_is_followed(store: Store):
    with store.session() as session:
        fill_running(session)
    app = app_on(store, room="run")
    log = app.desk.settings.home / "logs" / "filings-1.log"
    with owned(store, "filings-1"):
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, "filings-1: running")
            await pilot.press("l")
            await until(pilot, "the log of run filings-1", "There is no log: the run was started in a terminal")
            log.parent.mkdir()
            log.write_text("iteration 1: [solving]\n", encoding="utf-8")
            await until(pilot, "iteration 1: [solving]")
            with log.open("a", encoding="utf-8") as file:
                file.write("iteration 1: done\n")
            await until(pilot, "iteration 1: [solving]", "iteration 1: done")
            await pilot.press("escape")
            await until(pilot, "[3 Run]", "filings-1: running")
