"""Evaluations as plain values: documents that are committed, small ones with known answers, runs of the store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from karl.control.evaluations import EvaluationLine, EvaluationReader, Interval, Sheet, export_report
from karl.control.place import Settings
from store.errors import UsageError
from store.models import EvalResult
from store.queries import create_run, save_eval_result, set_run_state
from store.session import Store
from store.types import RunState
from tests.evals.report_kit import document
from tests.karl.kit import REPOSITORY
from tests.store.conftest import store
from tests.store.records import a_run
from tests.tui.evals_kit import evaluated_run, home_of, keep, keep_reports

__all__ = ["store"]


def reader(store: Store) -> EvaluationReader:
    return EvaluationReader(Settings(home=home_of(store)))


def lines(reader: EvaluationReader, store: Store) -> tuple[EvaluationLine, ...]:
    with store.session() as session:
        return reader.lines(session)


def sheet(store: Store, *names: str, pair: tuple[str, str] | None = None) -> Sheet:
    """Of the lines with these names or hashes."""
    own = reader(store)
    with store.session() as session:
        found = own.lines(session)
        chosen = [next(line for line in found if name in (line.name, line.sha256)) for name in names]
        return own.sheet(session, chosen, pair=pair)


def test_documents_and_runs_in_one_list(store: Store):
    keep_reports(home_of(store))
    with store.session() as session:
        run_id = evaluated_run(session)
        set_run_state(session, run_id, state=RunState.DONE)
    found = lines(reader(store), store)
    assert [(line.name, line.state, line.suite, line.questions) for line in found] == [
        ("notes-1", "done", "held-out", 4),
        ("eval-fogbench-9c67f632", "kept", "fogbench", 117),
        ("eval-fogbench-83a4d4bd", "kept", "fogbench", 28),
    ]
    assert [line.systems for line in found] == [("base", "oapl-1"), ("fog/base", "fog/oapl-2"), ("embedded",)]
    assert (found[1].judge, found[1].sha256[:8], found[1].run_id) == ("rule", "e5aa5f68", None)


def test_a_file_is_read_again_when_it_changed(store: Store):
    made = document()
    (path,) = keep(home_of(store), made)
    own = reader(store)
    (first,) = lines(own, store)
    (again,) = lines(own, store)
    assert again is first
    path.write_text(made.model_copy(update={"name": "renamed-evaluation"}).model_dump_json(), encoding="utf-8")
    assert [line.name for line in lines(own, store)] == ["renamed-evaluation"]
    path.write_text("{", encoding="utf-8")
    (broken,) = lines(own, store)
    assert (broken.state, broken.problem) == ("unreadable", f"{path.name} is no document of `karl eval`")
    path.unlink()
    assert lines(own, store) == ()


def test_a_run_whose_document_is_kept_is_shown_while_it_goes_on(store: Store):
    made = document()
    keep(home_of(store), made)
    with store.session() as session:
        _, corpus_id = a_run(session)
        run_id = create_run(session, name="eval-test", corpus_id=corpus_id, settings={}).id or 0
        save_eval_result(session, EvalResult(run_id=run_id, arm="setup", split="setup"))
        save_eval_result(session, EvalResult(run_id=run_id, arm=made.sha256, split="document"))
    own = reader(store)
    assert [(line.name, line.state) for line in lines(own, store)] == [("eval-test", "running"), ("eval-test", "kept")]
    with store.session() as session:
        set_run_state(session, run_id, state=RunState.DONE)
    assert [(line.name, line.state) for line in lines(own, store)] == [("eval-test", "kept")]


def test_the_sheet_of_a_document_has_its_figures(store: Store):
    keep_reports(home_of(store))
    found = sheet(store, "eval-fogbench-9c67f632")
    base, trained = found.systems
    assert (base.label, base.score, base.generations, base.unfinished) == (
        "fog/base",
        Interval(0.037, 0.0162, 0.0617),
        468,
        25,
    )
    assert (trained.label, trained.k, trained.max_at_k and trained.max_at_k.mean) == ("fog/oapl-2", 4, 0.1345)
    by_title = {line.title: line for line in found.scores}
    assert by_title["entity search"].values[0] == Interval(0.15, 0.0375, 0.2875)
    assert by_title["FogBench"].depth == 0
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.verdict) == ("fog/oapl-2", "fog/base", "better")
    assert (pair.wins, pair.ties, pair.losses) == (28, 80, 9)
    assert sum(map(sum, pair.matrix)) == 117
    assert [point.k for point in found.curves[0].points] == [1, 2, 4]
    assert sum(own.rollouts for own in found.profiles[0].classes) == found.profiles[0].rollouts == 468
    usd, _, seconds = found.tradeoffs
    assert (usd.spots, "no price" in usd.left_out) == ((), True)
    assert [(spot.label, spot.beaten_by) for spot in seconds.spots] == [
        ("fog/oapl-2", ()),
        ("fog/base", ("fog/oapl-2",)),
    ]
    assert found.failed_questions == len(found.failures) == 233
    assert (found.failures[0].question, found.failures[0].answer) == ("Who leads the Solkath team?", "Hearkprio")
    # Budgets differ in their figures: they are one reason.
    assert found.reasons[1] == ("budget: no answer after 6 turns and … sampled tokens", "7", "19")
    assert by_title["pass@4"].values[0] is not None


def test_two_documents_stand_side_by_side(store: Store):
    first, second = document(("base",)), document(("trained", "best"), seed=1)
    keep(home_of(store), first, second)
    found = sheet(store, first.sha256, second.sha256)
    assert found.labels == ("base", "trained", "best")
    assert [(pair.first, pair.second) for pair in found.pairs] == [("trained", "base"), ("best", "base")]
    assert all(pair.difference is not None for pair in found.pairs)
    (chosen,) = sheet(store, first.sha256, second.sha256, pair=("trained", "best")).pairs
    assert (chosen.first, chosen.second) == ("best", "trained")


def test_another_judge_is_not_compared_and_no_front_has_both(store: Store):
    first, second = document(("base",)), document(("trained",), judge="llm", seed=1)
    keep(home_of(store), first, second)
    found = sheet(store, first.sha256, second.sha256)
    assert [(pair.difference, pair.why) for pair in found.pairs] == [(None, "other judges: llm and rule")]
    assert [len(tradeoff.spots) for tradeoff in found.tradeoffs] == [1, 1, 0, 1, 1, 0]


def test_the_published_table_stands_beside_what_is_measured(store: Store):
    made = document(tasks=("financebench", "qampari"), complete=False)
    keep(home_of(store), made)
    found = sheet(store, made.sha256)
    ours, published = found.published
    assert ours.rows[0][0] == "base" and ours.rows[0][4].endswith("*")
    assert published.caption == "Published, their data and judge, %"
    assert published.rows[1][:2] == ("KARL", "58.5")
    assert "The published figures are of their data, their corpora and their judge" in found.published_notes[0]
    assert "Not asked in full, and marked *" in found.published_notes[0]
    assert sheet_of_fog(store).published == ()


def sheet_of_fog(store: Store) -> Sheet:
    keep_reports(home_of(store))
    return sheet(store, "eval-fogbench-83a4d4bd")


def test_the_sheet_of_a_run_has_its_arms(store: Store):
    with store.session() as session:
        evaluated_run(session)
    found = sheet(store, "notes-1")
    base, trained = found.systems
    assert (base.pass_at_1 and base.pass_at_1.mean, base.k, base.max_at_k and base.max_at_k.mean) == (0.375, 2, 0.5)
    assert (trained.generations, trained.failed) == (8, 1)
    assert found.notes == ("oapl-1: 1 rollouts failed and are left out of every mean.",)
    by_title = {line.title: line.values for line in found.scores}
    assert (by_title["team leader"], by_title["office"]) == ((0.25, 1.0), (0.5, 0.25))
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.difference and pair.difference.mean) == ("oapl-1", "base", 0.25)
    assert (pair.wins, pair.ties, pair.losses, pair.unpaired) == (2, 1, 1, 0)
    assert pair.matrix == ((1, 0, 1), (0, 0, 1), (0, 1, 0))
    assert [(point.k, point.score.mean) for point in found.curves[0].points] == [(1, 0.375), (2, 0.5)]
    # A rollout failed: the curve has no more than the two figures that are stored.
    assert [(point.k, point.score.mean) for point in found.curves[1].points] == [(1, 0.625), (2, 0.75)]
    early = next(own for own in found.profiles[0].classes if own.name == "giving up early")
    assert (early.rollouts, early.share, early.solved) == (2, 0.25, 0.5)
    assert (len(found.failures), found.failed_questions) == (8, 8)
    assert (found.failures[-1].status, found.failures[0].reference) == ("finished", "reference 3")
    assert found.published == ()
    turned = sheet(store, "notes-1", pair=("oapl-1", "base")).pairs[0]
    assert (turned.first, turned.difference and turned.difference.mean) == ("base", -0.25)


def test_an_arm_of_an_older_run_has_what_was_stored(store: Store):
    with store.session() as session:
        run_id, _ = a_run(session, name="old")
        figures = {"pass@1": {"mean": 0.5, "low": 0.4, "high": 0.6}}
        save_eval_result(session, EvalResult(run_id=run_id, arm="base", figures=figures))
    found = sheet(store, "old")
    assert [(line.label, line.pass_at_1, line.max_at_k, line.searches) for line in found.systems] == [
        ("base", Interval(0.5, 0.4, 0.6), None, None)
    ]
    assert (found.pairs, found.profiles, found.failures) == ((), (), ())


def test_a_sheet_is_made_once_until_its_file_changes(store: Store):
    made = document()
    (path,) = keep(home_of(store), made)
    own = reader(store)
    with store.session() as session:
        first = own.sheet(session, own.lines(session), pair=None)
        assert own.sheet(session, own.lines(session), pair=None) is first
        assert own.sheet(session, own.lines(session), pair=None, afresh=True) is not first
        path.write_text(document(questions=9).model_dump_json(), encoding="utf-8")
        assert own.sheet(session, own.lines(session), pair=None).systems[0].generations == 18


def test_what_does_not_go_is_told(store: Store):
    made = document()
    (path,) = keep(home_of(store), made)
    with store.session() as session:
        evaluated_run(session)
        own = reader(store)
        both = own.lines(session)
        with pytest.raises(UsageError, match="a run's own evaluation stands alone"):
            own.sheet(session, both, pair=None)
        kept = [line for line in both if line.path]
        path.write_text(made.model_dump_json().replace('"version":1', '"version":2'), encoding="utf-8")
        with pytest.raises(UsageError, match="version: 2; this karl reads 1"):
            own.sheet(session, kept, pair=None)
        path.unlink()
        with pytest.raises(UsageError, match="cannot read the evaluation: No such file"):
            own.sheet(session, kept, pair=None)


def test_a_report_never_overwrites(tmp_path: Path):
    paths = keep(tmp_path / "home", document(), document(seed=1))
    written = [export_report(paths[:1], folder=tmp_path, form="html") for _ in range(3)]
    assert [path.name for path in written] == ["eval-test.html", "eval-test-2.html", "eval-test-3.html"]
    assert written[0].read_text(encoding="utf-8").startswith("<!doctype html>")
    both = export_report(paths, folder=tmp_path, form="md")
    assert both.name == "eval-test-and-1.md"
    assert both.read_text(encoding="utf-8").startswith("# Evaluation of base")
    with pytest.raises(UsageError, match="cannot write the report"):
        export_report(paths, folder=tmp_path / "nowhere", form="md")


def test_nothing_heavy_is_loaded_for_it(tmp_path: Path):
    """The interface's own process: torch alone would cost it seconds and hundreds of megabytes."""
    keep(tmp_path, document(questions=2))
    script = """
import sys
from pathlib import Path
from karl.control.evaluations import EvaluationReader, export_report
from karl.control.place import Settings
from store.session import Store
home = Path(sys.argv[1])
store, reader = Store.open(f"sqlite:///{home}/karl.db"), EvaluationReader(Settings(home=home))
assert not [name for name in sys.modules if name.startswith("evals")], "evals before it is asked for"
with store.session() as session:
    lines = reader.lines(session)
    reader.sheet(session, lines, pair=None)
export_report([lines[0].path], folder=home, form="html")
heavy = {"torch", "transformers", "langgraph", "faiss", "verl", "ray", "langchain_core"} & sys.modules.keys()
assert not heavy, heavy
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
