"""Runs at a glance, and the order of training series."""

from __future__ import annotations

from store.models import EvalResult
from store.queries import (
    EVALUATION_SETUP,
    add_metrics,
    create_run,
    run_overviews,
    save_eval_result,
    series_names,
    set_run_state,
)
from store.queries.runs import finish_stage, iteration_row
from store.session import Store
from store.types import RunState, Stage
from tests.store.records import a_run


def test_overviews_newest_first_with_progress_and_rates(store: Store) -> None:
    with store.session() as session:
        first, corpus_id = a_run(session, name="one")
        second = create_run(session, name="two", corpus_id=corpus_id, settings={"iterations": 3}).id or 0
        finish_stage(session, second, number=1, stage=Stage.EVALUATE, seconds=1.0)
        iteration_row(session, second, number=2)
        for arm, iteration, rate in (
            ("oapl-2", 2, 0.75),
            ("oapl-1", 1, 0.5),
            ("base", 0, 0.25),
            ("oapl-2@0.5", 2, 0.9),
            ("sft-2", 2, 0.8),
        ):
            figures = {"pass@1": {"mean": rate, "low": rate, "high": rate}}
            save_eval_result(session, EvalResult(run_id=second, arm=arm, iteration=iteration, figures=figures))
        set_run_state(session, first, state=RunState.FAILED, error="disk full")
    with store.session() as session:
        two, one = run_overviews(session)
        assert (two.name, two.corpus, two.state, two.done, two.planned) == ("two", "one-notes", RunState.RUNNING, 1, 3)
        assert (two.base, two.newest, two.error) == (0.25, 0.75, None)
        assert (one.run_id, one.state, one.error, one.done, one.planned) == (
            first,
            RunState.FAILED,
            "disk full",
            0,
            None,
        )
        assert (one.base, one.newest) == (None, None)
        assert [run.name for run in run_overviews(session, limit=1)] == ["two"]
        assert (two.progress, one.progress) == ("1/3", "0/?")
        save_eval_result(session, EvalResult(run_id=first, arm="setup", split=EVALUATION_SETUP, figures={}))
        assert [run.progress for run in run_overviews(session)] == ["1/3", "eval"]


def test_series_last_written_first(store: Store) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        for series in ("sft-1", "oapl-1", "oapl-2"):
            add_metrics(session, run_id, iteration=1, series=series, points=[(0, "loss", 1.0), (0, "kl", 1.0)])
        assert series_names(session, run_id) == ["oapl-2", "oapl-1", "sft-1"]
        add_metrics(session, run_id, iteration=1, series="sft-1", points=[(1, "loss", 1.0)])
        assert series_names(session, run_id) == ["sft-1", "oapl-2", "oapl-1"]
