"""The room of evaluations on a real store and real documents, driven by Textual's pilot."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from textual.widgets import Input

from store.queries import RolloutLinks, begin_progress, save_rollouts, set_progress, set_run_state
from store.session import Store
from store.types import RunState
from tests.evals.report_kit import HOSTILE, document
from tests.store.records import a_rollout
from tests.tui.evals_kit import evaluated_run, home_of, keep, keep_reports
from tests.tui.kit import app_on, shown, until
from tui.widgets.evaluation_list import EvaluationList
from tui.widgets.failure_list import FailureList

SMALL, LARGE = (80, 24), (200, 60)


async def test_an_empty_place_says_what_to_type(store: Store):
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        lines = await until(pilot, "    karl eval embedded --suite fogbench", "no evaluation")
        assert not any("Failures" in line for line in lines)
        await pilot.press("slash", "e", "n")
        await until(pilot, "a report is made of documents")
        with store.session() as session:
            set_run_state(session, evaluated_run(session), state=RunState.DONE)
        lines = await until(pilot, "1 evaluation: notes-1", "Failures")
        assert not any("--suite fogbench" in line for line in lines)


async def test_a_document_part_by_part(store: Store):
    keep_reports(home_of(store))
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "2 evaluations: eval-fogbench-9c67f632", "0.037 (0.016..0.062)", "0.071 (0.049..0.095)")
        await pilot.press("n")
        await until(pilot, "fog/oapl-2 minus fog/base: better", "+0.034 (+0.012..+0.057)")
        lines = shown(app)
        matrix = [line.split() for line in lines if line.split()[:1] in (["unsolved"], ["partial"], ["solved"])]
        assert ["unsolved", "108", "4", "0"] in matrix
        await pilot.press("n")
        await until(pilot, "None of the six tasks of KARLBench was measured here")
        await pilot.press("n")
        await until(pilot, "score against tokens a query", "●", "▲")
        await pilot.press("n")
        await until(pilot, "the best of k, against k")
        await pilot.press("n")
        lines = await until(pilot, "giving up early", "0.489 ██", "0.035 right")
        assert any("confidently wrong early" in line and "0.000" in line for line in lines)
        await pilot.press("n")
        await until(pilot, "233 of 233 that are wrong or failed", "answer: Hearkprio", "reference: Luis Berg")
        await pilot.press("n")
        await until(pilot, "read this first", "its scores are not comparable")


async def test_a_large_screen_has_room_for_intervals_and_two_plots(store: Store):
    keep_reports(home_of(store))
    app = app_on(store, room="evals")
    async with app.run_test(size=LARGE) as pilot:
        lines = await until(pilot, "2 evaluations: eval-fogbench-9c67f632", "e5aa5f688246")
        row = next(line for line in lines if "fog/base" in line and "468" in line)
        assert "0.037 (0.016..0.062)" in row and "0.076 (0.042..0.112)" in row
        await pilot.press("n", "n", "n")
        lines = await until(pilot, "dominated by fog/oapl-2")
        titles = "score against tokens a query", "score against median seconds to the first answer token"
        assert any(all(title in line for title in titles) for line in lines)


async def test_marked_evaluations_stand_side_by_side(store: Store):
    keep(home_of(store), document(("base",)), document(("trained",), seed=1))
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "2 evaluations: eval-test")
        await pilot.press("space", "down", "space", "n")
        lines = await until(pilot, "2 side by side", "minus")
        assert sum(line.startswith(" *") for line in lines) == 2
        await pilot.press("space")
        lines = await until(pilot, "2 evaluations: eval-test", "Two systems make a pair")
        assert sum(line.startswith(" *") for line in lines) == 1


async def test_two_marked_systems_are_the_pair(store: Store):
    with store.session() as session:
        evaluated_run(session)
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "notes-1", "0.375", "0.625", "team leader")
        await pilot.press("enter", "down", "space", "up", "space")
        lines = await until(pilot, " 1  oapl-1", " 2  base")
        await pilot.press("n")
        lines = await until(pilot, "base minus oapl-1", "-0.250")
        assert [line.split() for line in lines if line.split()[:1] == ["solved"]] == [["solved", "1", "1", "0"]]


async def test_the_run_that_another_room_picked_is_shown(store: Store):
    with store.session() as session:
        older, newer = evaluated_run(session), evaluated_run(session, name="filings-1")
    app = app_on(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "2 runs")
        app.desk.run_id = older
        await pilot.press("7")
        await until(pilot, "2 evaluations: notes-1", "team leader")
        await pilot.press("up")
        await until(pilot, "2 evaluations: filings-1")
        assert app.desk.run_id == newer
        app.desk.run_id = older
        await until(pilot, "2 evaluations: notes-1")


async def test_a_running_evaluation_shows_how_far_it_is(store: Store):
    with store.session() as session:
        run_id = evaluated_run(session)
        begin_progress(session, run_id, title="oapl-1: notes", total=40, done=0)
        set_progress(
            session, run_id, title="oapl-1: notes", first=0, done=10, total=40, under_way=8, note="", over=False
        )
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "█████                10/40 25%, 8 under way  oapl-1: notes", "running")
        with store.session() as session:
            title = "oapl-1: notes"
            set_progress(session, run_id, title=title, first=0, done=40, total=40, under_way=0, note="", over=True)
        await until(pilot, "40/40 over  oapl-1: notes")
        with store.session() as session:
            set_run_state(session, run_id, state=RunState.DONE)
        await until(pilot, "done")
        assert not any("40/40" in line for line in shown(app))


async def test_failures_are_narrowed_and_their_traces_opened(store: Store):
    made = document(questions=6, samples=1, troubled=3)
    keep(home_of(store), made)
    key = next(one.rollout for one in made.questions[0].systems["base"] if one.status == "failed")
    with store.session() as session:
        (rollout_id,) = save_rollouts(session, [(a_rollout(key), RolloutLinks())])
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "eval-test", "unjudged")
        await pilot.press("slash")
        await pilot.press(*"no index")
        lines = await until(pilot, "2 of 10 that are wrong or failed", "reason: tool: no index")
        assert sum("failed" in line and "1/1" in line for line in lines) == 2
        await pilot.press("enter", "down", "enter")
        await until(pilot, "this store does not hold the trace")
        assert app.desk.rollout_id is None
        await pilot.press("up", "enter")
        await until(pilot, "[4 Traces]", f"rollout {rollout_id}")


async def test_escape_leaves_filter_and_parts(store: Store):
    keep(home_of(store), document())
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "eval-test", "half credit")
        await pilot.press("slash", "z")
        await until(pilot, "0 of ")
        await pilot.press("escape")
        assert app.screen.query_one(FailureList).has_focus_within
        assert app.screen.query_one(Input).display
        await pilot.press("escape")
        assert app.focused is app.screen.query_one(EvaluationList)


async def test_a_report_is_written_and_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    keep(home_of(store), document())
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "eval-test", "half credit")
        await pilot.press("e")
        await until(pilot, "report to a file here", "Markdown")
        await pilot.press("down", "enter")
        await until(pilot, "wrote eval-test.md in")
        assert (tmp_path / "eval-test.md").read_text(encoding="utf-8").startswith("# Evaluation of base and trained")
        await pilot.press("e", "escape")
        await until(pilot, "half credit")
        assert [path.name for path in tmp_path.glob("*.*")] == ["eval-test.md"]


async def test_copying_takes_the_hash(store: Store):
    made = document()
    keep(home_of(store), made)
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "eval-test", "half credit")
        await pilot.press("y")
        await until(pilot, "copied")
        assert app.clipboard == made.sha256


async def test_what_an_evaluation_says_is_no_markup(store: Store):
    keep(home_of(store), document(questions=2, text=f"[red]{HOSTILE}[/]"))
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "eval-test", "half credit")
        await pilot.press("slash")
        await until(pilot, "question: Who builds 1? [red]</script>")


async def test_an_unreadable_file_is_told_and_the_others_shown(store: Store):
    (path,) = keep(home_of(store), document())
    (path.parent / "zz.json").write_text('{"version": 1, "name": "x"}', encoding="utf-8")
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "unreadable", "half credit")
        await pilot.press("down")
        await until(pilot, "zz.json: sha256: Field required")
        await pilot.press("up")
        lines = await until(pilot, "half credit")
        assert not any("Field required" in line for line in lines)
        path.unlink()
        await until(pilot, "1 evaluation: zz.json")


async def test_a_refusing_database_is_told_and_tried_again(store: Store):
    with store.session() as session:
        evaluated_run(session)
    app = app_on(store, room="evals")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "notes-1", "team leader")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE evalresult RENAME TO evalresult_away"))
        await until(pilot, "cannot read, trying again", "no such table: evalresult", "team leader")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE evalresult_away RENAME TO evalresult"))
        await until(pilot, "1 evaluation: notes-1")


async def test_resizing_lays_it_out_anew(store: Store):
    keep(home_of(store), document())
    app = app_on(store, room="evals")
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await until(pilot, "judge", "hash", "half credit")
        await pilot.resize_terminal(*SMALL)
        lines = await until(pilot, "asked", "half credit")
        assert not any("102afd4066ad" in line for line in lines)
        await pilot.resize_terminal(*LARGE)
        await until(pilot, "102afd4066ad")
