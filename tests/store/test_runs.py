"""Runs, iterations, metrics, checkpoints, evaluation results."""

from __future__ import annotations

from typing import Any

import pytest

from store.errors import KarlError, UsageError
from store.models import Checkpoint, EvalResult
from store.queries import (
    add_metrics,
    checkpoint_by_name,
    create_run,
    eval_results,
    finish_stage,
    iteration_row,
    iterations,
    metric_names,
    newest_checkpoint,
    run_by_name,
    runs,
    save_checkpoint,
    save_eval_result,
    series,
    set_run_state,
)
from store.session import Store
from store.types import Algorithm, RunState, Stage
from tests.store.records import a_run


def test_runs_by_name_and_state(store: Store) -> None:
    with store.session() as session:
        first, corpus_id = a_run(session, name="one")
        a_run(session, name="two")
        assert [run.name for run in runs(session)] == ["two", "one"]
        assert [run.name for run in runs(session, corpus_id=corpus_id)] == ["one"]
        set_run_state(session, first, state=RunState.FAILED, error="disk full")
        assert (run_by_name(session, "one").state, run_by_name(session, "one").error) == (RunState.FAILED, "disk full")
        with pytest.raises(UsageError, match="there are: two, one"):
            run_by_name(session, "three")
        with pytest.raises(UsageError, match="already"):
            create_run(session, name="one", corpus_id=corpus_id, settings={})


def test_stages_move_on_and_add_seconds(store: Store) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        assert iteration_row(session, run_id, number=1).stage is Stage.SYNTHESIZE
        finish_stage(session, run_id, number=1, stage=Stage.SYNTHESIZE, seconds=1.5)
        row = finish_stage(session, run_id, number=1, stage=Stage.SYNTHESIZE, seconds=0.5)
        assert (row.stage, row.seconds, row.done) == (Stage.DEDUPLICATE, {"synthesize": 2.0}, False)
        finish_stage(session, run_id, number=1, stage=Stage.EVALUATE, seconds=1.0)
    with store.session() as session:
        (stored,) = iterations(session, run_id)
        assert (stored.done, stored.seconds) == (True, {"synthesize": 2.0, "evaluate": 1.0})


def test_metrics_replace_points_of_the_same_step(store: Store) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        place = {"iteration": 1, "series": "oapl-1"}
        add_metrics(session, run_id, **place, points=[(n, "loss", 1.0 / (n + 1)) for n in range(3)])
        add_metrics(session, run_id, **place, points=[(2, "loss", 9.0), (3, "loss", 8.0), (2, "kl", 0.1)])
        add_metrics(session, run_id, iteration=1, series="sft-1", points=[(0, "loss", 5.0)])
        assert series(session, run_id, series="oapl-1", name="loss") == [(0, 1.0), (1, 0.5), (2, 9.0), (3, 8.0)]
        assert metric_names(session, run_id) == {"oapl-1": ["kl", "loss"], "sft-1": ["loss"]}
        add_metrics(session, run_id, **place, points=[])
        with pytest.raises(KarlError, match="loss of oapl-1 at step 4 is not a number"):
            add_metrics(session, run_id, **place, points=[(4, "loss", float("nan"))])


def test_newest_checkpoint_of_a_run_and_a_corpus(store: Store) -> None:
    with store.session() as session:
        first, corpus_id = a_run(session, name="one")
        second, other_corpus = a_run(session, name="two")
        assert newest_checkpoint(session, corpus_id=corpus_id) is None

        def save(run_id: int, name: str, algorithm: Algorithm, version: int) -> Checkpoint:
            row = Checkpoint(run_id=run_id, name=name, algorithm=algorithm, path=f"/{name}", policy_version=version)
            return save_checkpoint(session, row)

        save(first, "one/oapl-2", Algorithm.OAPL, 2)
        save(first, "one/oapl-1", Algorithm.OAPL, 1)
        save(first, "one/sft-3", Algorithm.SFT, 3)
        save(second, "two/base", Algorithm.BASE, 0)

        def newest(**where: Any) -> str | None:
            found = newest_checkpoint(session, **where)
            return found.name if found else None

        assert newest(run_id=first) == newest(corpus_id=corpus_id) == newest() == "one/oapl-2"
        assert newest(corpus_id=other_corpus) is None
        assert getattr(newest_checkpoint(session, corpus_id=other_corpus, algorithm=None), "name", None) == "two/base"
        again = save(first, "one/oapl-1", Algorithm.OAPL, 5)
        assert (newest(run_id=first), again.policy_version) == ("one/oapl-1", 5)
        with pytest.raises(UsageError, match="one/oapl-2, one/oapl-1"):
            checkpoint_by_name(session, "nothing")
        with pytest.raises(UsageError, match=r"no checkpoint 'one/oapl1'; did you mean 'one/oapl-1'"):
            checkpoint_by_name(session, "one/oapl1")


def test_eval_results_are_upserted(store: Store) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        save_eval_result(session, EvalResult(run_id=run_id, arm="base", figures={"pass@1": 0.1}))
        save_eval_result(session, EvalResult(run_id=run_id, arm="oapl-1", figures={"pass@1": 0.2}))
        save_eval_result(session, EvalResult(run_id=run_id, arm="base", figures={"pass@1": 0.3}))
    with store.session() as session:
        found = [(row.arm, row.figures) for row in eval_results(session, run_id)]
        assert found == [("base", {"pass@1": 0.3}), ("oapl-1", {"pass@1": 0.2})]
