"""The room of one run on a real store, driven by Textual's pilot: what is stored is what is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from store.models import EvalResult
from store.queries import EVALUATION_SETUP, add_metrics, save_eval_result, set_run_state
from store.session import Store
from store.types import RunState
from tests.tui.kit import add_arm, add_losses, app_on, fill_done, fill_running, filled, shown, until
from tests.tui.run_kit import add_kinds, add_progress, add_rollouts, date, owned
from tui.screens.run import RunScreen
from tui.widgets.counts import CountTable

SMALL, LARGE = (80, 24), (200, 60)
LEFT = 82  # columns of the left half
PRICES = '[models."glm"]\ninput = 10000\noutput = 50000\n'


def words(lines: list[str], first: str) -> list[str]:
    """The words of the first line that begins with the words `first`, up to the right half of a wide screen."""
    left = (line[:LEFT].split() for line in lines)
    return next(found for found in left if found[: len(first.split())] == first.split())


async def test_an_empty_store_and_the_first_run(store: Store):
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "No run yet: press 2 to start one, or type `karl demo`", "no run  sqlite")
        assert not any("questions" in line for line in lines)
        await pilot.press("p", "l", "v", "t", "left_square_bracket")
        with store.session() as session:
            fill_done(session)
        await until(pilot, "notes-1: done, iteration 1 of 1", "questions")


async def test_a_run_shows_its_funnel_and_where_its_questions_stand(store: Store):
    done, _ = filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        lines = await until(pilot, "filings-1: running, iteration 2 of 3, train", "1 done 12 s", "2 train 0 s")
        counts = [[word for word in words(lines, stage) if word.isdigit()] for stage in ("proposed", "kept")]
        assert counts == [["20", "9"], ["5", "0"]]
        await pilot.press("left_square_bracket")
        lines = await until(pilot, "notes-1: done, iteration 1 of 1", "where they stand")
        assert not any("throughput" in line for line in lines)  # nobody works on it
        assert app.desk.run_id == done
        stages = ("proposed", "well formed", "deduplicated", "rolled out", "mixed", "kept")
        numbers = [int(next(word for word in words(lines, stage) if word.isdigit())) for stage in stages]
        assert numbers == [20, 18, 13, 12, 6, 5]
        bars = [next(word for word in words(lines, stage) if word[0] in "█▏▎▍▌▋▊▉") for stage in stages]
        assert [len(bar) for bar in bars] == sorted((len(bar) for bar in bars), reverse=True)
        assert [words(lines, fate)[-1] for fate in ("all wrong", "duplicate", "malformed")] == ["6", "5", "2"]
        await pilot.press("left_square_bracket")  # it is the first
        await until(pilot, "notes-1: done")
        await pilot.press("right_square_bracket")
        await until(pilot, "filings-1: running")


async def test_progress_throughput_tokens_and_cost(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with store.session() as session:
        run_id = fill_running(session)
        add_progress(session, run_id, title="iteration 2: writing questions", done=40, total=40, over=True)
        add_progress(session, run_id, done=30)
        add_rollouts(session, run_id, count=60)
        add_kinds(session, run_id)
        date(session, run_id, seconds=30)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        lines = await until(pilot, "30/100", "30%", "left", "40/40", "done", "last heard of")
        assert any("1.0/s" in line and "1 min" in line for line in lines)
        await until(pilot, "rollouts/s", "2.1", "throughput over 30 s", "under way")
        lines = await until(pilot, "no price for glm, tiny in prices.toml of the working folder")
        assert words(lines, "generator glm") == ["generator", "glm", "1", "3", "30", "14", "?"]
        assert words(lines, "solver") == ["solver", "tiny", "63", "189", "1,890", "882", "?"]
        (tmp_path / "prices.toml").write_text(PRICES, encoding="utf-8")
        await pilot.press("r")
        lines = await until(pilot, "no price for tiny in prices.toml")
        assert words(lines, "generator glm")[-1] == "1.00"
        (tmp_path / "prices.toml").write_text("models = 3", encoding="utf-8")
        await pilot.press("r")
        await until(pilot, "no cost:", "'models': Input should be a valid dictionary")


async def test_an_evaluation_under_way_is_counted(store: Store):
    with store.session() as session:
        run_id = fill_running(session)
        add_arm(session, run_id, "base", rate=0.25)
        add_kinds(session, run_id)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        lines = await until(pilot, "2 rollouts, reward 0.500", "0.250 (0.200..0.300)")
        assert not any("● oapl" in line for line in lines)  # the base alone is no curve
        with store.session() as session:
            add_arm(session, run_id, "oapl-1", rate=0.5, iteration=1)
            add_arm(session, run_id, "sft-1", rate=0.375, iteration=1)
        await until(pilot, "pass@1  ● oapl  ▲ sft", "max@8  ● oapl  ▲ sft", "0.700 (0.650..0.750)")


async def test_training_curves_and_evaluation(store: Store):
    with store.session() as session:
        run_id = fill_done(session)
        points = [(step, "grad_norm", 1.5) for step in range(3)]
        points += [(0, "drift_mean", 1e-4), *((step, "kl_reverse", float("inf")) for step in range(3))]
        add_metrics(session, run_id, iteration=1, series="oapl-1", points=points)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "training sft-1 (1 of 2), step 1", "loss 0.625")
        await pilot.press("t")
        await until(pilot, "training oapl-1 (2 of 2), step 2", "gradient norm 1.5", "loss 0.25", "KL")
        lines = await until(pilot, "win 0.25", "lose -0.25", "failed rollouts")
        assert words(lines, "engine")[-1] == "2"
        assert words(lines, "tool")[-1] == "1"
        assert not any("drift_mean" in line for line in lines)
        together = "\n".join(lines)
        for row in (
            ("base ", "1", "0.250 (0.200..0.300)", "0.450 (0.400..0.500)", "1.50"),
            ("base@0.5", "0.5", "0.375 (0.325..0.425)", "0.575 (0.525..0.625)", "1.50"),
            ("oapl-1", "1", "0.500 (0.450..0.550)", "0.700 (0.650..0.750)", "1.50"),
        ):
            assert any(all(cell in line for cell in row) for line in lines), (row, together)
        await pilot.press("t")
        lines = await until(pilot, "training sft-1 (1 of 2), step 1", "loss 0.625")
        assert not any("win 0.25" in line for line in lines)


async def test_curves_are_chosen(store: Store):
    with store.session() as session:
        run_id = fill_done(session)
        add_metrics(session, run_id, iteration=1, series="oapl-1", points=[(1, "entropy", 0.125), (1, "lr", 1e-5)])
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "training oapl-1 (1 of 2)", "loss 0.25", "win 0.25")
        await pilot.press("v")
        await until(pilot, "what is drawn", "learning rate", "entropy", "sft-1")
        await pilot.press("space", "down", "down", "down", "space", "escape")
        lines = await until(pilot, "entropy 0.125", "win 0.25")
        assert not any("loss 0.25" in line or "learning rate" in line for line in lines)
        await pilot.press("v")
        await until(pilot, "what is drawn")
        await pilot.press("shift+tab", "down", "enter")
        await until(pilot, "training sft-1 (2 of 2)")
        await pilot.press("v")
        await until(pilot, "what is drawn")
        await pilot.press("space", "escape")
        await until(pilot, "loss 0.625")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_metric_written_while_watching_appears(store: Store, size: tuple[int, int]):
    with store.session() as session:
        run_id = fill_running(session)
    app = app_on(store, room="run")
    async with app.run_test(size=size) as pilot:
        await until(pilot, "filings-1: running")
        await pilot.pause()  # laid out
        app.screen.query_one("#training").scroll_visible(animate=False, top=True)
        await until(pilot, "training oapl-2, step 1", "loss 0.375")
        with store.session() as session:
            add_losses(session, run_id, "oapl-2", values=[0.125], start=2)
        await until(pilot, "training oapl-2, step 2", "loss 0.125")
        with store.session() as session:
            set_run_state(session, run_id, state=RunState.FAILED, error="disk full: [checkpoint]")
        app.screen.query_one("#headline").scroll_visible(animate=False)
        await until(pilot, "filings-1: failed", "disk full: [checkpoint]")


async def test_a_resting_run_is_read_again_when_asked_or_trained_on(store: Store):
    with store.session() as session:
        run_id = fill_done(session)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "training sft-1 (1 of 2), step 1")
        with store.session() as session:
            add_metrics(session, run_id, iteration=1, series="sft-1", points=[(7, "loss", 0.5)])
        await pilot.press("r")
        await until(pilot, "training sft-1 (1 of 2), step 7")
        with store.session() as session:
            add_metrics(session, run_id, iteration=1, series="train/mine", points=[(1, "loss", 0.5)])
            add_progress(session, run_id, title="training mine", done=1)
        await until(pilot, "training train/mine (1 of 3), step 1", "training mine", "1/100", "left")


async def test_enter_on_a_failure_opens_its_rollouts(store: Store):
    with store.session() as session:
        fill_done(session)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: done")
        app.screen.query_one("#failures").query_one(CountTable).focus()
        await pilot.press("down", "enter")
        await until(pilot, "[4 Traces]", "status:failed", "kind:tool", "1 rollout")


async def test_enter_on_a_fate_opens_its_rollouts_of_the_iteration(store: Store):
    filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "filings-1: running", "all wrong")
        app.screen.query_one("#fates").query_one(CountTable).focus()
        await pilot.pause()  # a busy machine gives it the focus later
        await pilot.press("down", "down", "right", "right", "enter")
        await until(pilot, "[4 Traces]", "iter:1", "fate:all_wrong")


async def test_an_evaluation_of_its_own_is_told_apart(store: Store):
    with store.session() as session:
        run_id = fill_running(session)
        save_eval_result(session, EvalResult(run_id=run_id, arm="setup", split=EVALUATION_SETUP, figures={}))
        add_kinds(session, run_id)
        add_progress(session, run_id, title="base: fogbench", done=2)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running, an evaluation", "base: fogbench")


async def test_a_run_without_a_process_is_lost_and_its_keys_say_so(store: Store):
    with store.session() as session:
        run_id = fill_running(session)
        add_progress(session, run_id, done=30)
    with owned(store, "filings-1"):
        pass
    (Path(str(store.url.database)).parent / "locks" / "filings-1.lock").write_text("2000000000\n")
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        lines = await until(pilot, "filings-1: lost", "c goes on with it", "30/100")
        assert not any(" left" in line for line in lines)  # nobody goes on with it
        await pilot.press("p")
        await until(pilot, "run filings-1 is lost")


async def test_stopping_asks_first(store: Store):
    with store.session() as session:
        fill_running(session)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "filings-1: running")
        await pilot.press("x")
        await until(pilot, "stop run filings-1?")
        await pilot.press("s")
        await until(pilot, "no process owns run 'filings-1'")


async def test_a_run_that_is_gone_gives_way_to_the_newest(store: Store):
    filled(store)
    app = app_on(store, room="run")
    app.desk.run_id = 99
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "run 99 is gone", "filings-1: running")
        assert isinstance(app.screen, RunScreen)


async def test_a_database_that_refuses_is_told_and_tried_again(store: Store):
    filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE metric RENAME TO metric_away"))
        # The message is there before the screen is laid out anew around its second line.
        await until(pilot, "cannot read, trying again", "no such table: metric", "filings-1: running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE metric_away RENAME TO metric"))
        await until(pilot, "filings-1: running  read")
        assert not any("cannot read" in line for line in shown(app))


async def test_sizes_change_without_harm(store: Store):
    filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "training oapl-2, step 1")
        for columns, rows in ((20, 5), (80, 24), (139, 39), (10, 60), (200, 60)):
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
        await until(pilot, "training oapl-2, step 1", "loss 0.375", "where they stand")
