"""The loop learns: one iteration of the demo at a third of its size lifts pass@1 on a company it never saw."""

from __future__ import annotations

import pytest

from agents.judges import RuleJudge
from karl.reporting import SilentReporter
from karl.run_config import make_config
from karl.runs import execute, open_run
from karl.settings import load_settings
from karl.summary import PAIRED, run_summary
from karl.tiny.companies import prepare_demo
from store import queries
from store.session import Store


@pytest.mark.slow
def test_one_iteration_lifts_pass_at_1_on_another_company(tmp_path) -> None:
    settings = load_settings(tmp_path, home=tmp_path)
    store = Store.open(settings.store_url)
    made = prepare_demo(store, seed=7, settings=settings, reporter=SilentReporter())
    config = make_config(
        {
            "corpus": made.training_corpus,
            "questions": made.questions,
            "question_corpus": made.evaluation_corpus,
            "iterations": 1,
            "generator_runs": 300,
            "max_tasks": 150,
            "held_out": 66,
            "eval_samples": 4,
            "eval_temperatures": [],
            "sft_control": False,
        }
    )
    opened = open_run(store, config, name=None)
    finished = execute(store, opened, config=config, settings=settings, judge=RuleJudge(), reporter=SilentReporter())
    assert finished
    summary = run_summary(store, opened.run)
    rows = {row["arm"]: row for row in summary["evaluation"]}
    # The whole interval of the paired difference is above zero: chance is ruled out, not only the mean moved.
    assert rows["oapl-1"][PAIRED]["low"] > 0.02
    assert rows["oapl-1"]["max@4"]["mean"] > rows["base"]["max@4"]["mean"]
    assert summary["training"]["oapl-1"]["drift_mean"] < 1e-3
    counts = list(summary["iterations"][0]["counts"].values())
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] > 20
    with store.session() as session:
        (dataset,) = [queries.dataset_by_name(session, f"{opened.run.name}/dataset-1")]
        queries.verify_dataset(session, dataset.id or 0)
    store.close()
