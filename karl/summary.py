"""A run as data: funnels, trainings, evaluation; the same for `karl run --json`, `karl show` and the tables."""

from __future__ import annotations

from typing import Any

from evals.statistics import paired_difference
from store import queries
from store.models import EvalResult, Run
from store.session import Store
from store.types import Algorithm

PAIRED = "pass@1 over base"


def run_summary(store: Store, run: Run) -> dict[str, Any]:
    """Everything that `karl show` prints, JSON-ready. Reads the row anew: `run` may be from before its last stage."""
    with store.session() as session:
        run = queries.run_by_name(session, run.name)
        assert run.id is not None
        results = queries.eval_results(session, run.id)
        rows = queries.iterations(session, run.id)
        checkpoints = queries.checkpoints(session, run_id=run.id)
        return {
            "run": run.name,
            "state": str(run.state),
            "error": run.error,
            "settings": run.settings,
            "iterations": [
                {
                    "number": row.number,
                    "stage": str(row.stage),
                    "done": row.done,
                    "seconds": {stage: round(seconds, 1) for stage, seconds in row.seconds.items()},
                    **queries.funnel(session, run.id, iteration=row.number)._asdict(),
                }
                for row in rows
            ],
            "failures": queries.failure_counts(session, run.id),
            "broken_edits": len(queries.series(session, run.id, series="", name=queries.BROKEN_EDIT)),
            "checkpoints": [{"name": row.name, "path": row.path, "sha256": row.weights_sha256} for row in checkpoints],
            "training": {
                series: {name: queries.series(session, run.id, series=series, name=name)[-1][1] for name in names}
                for series, names in queries.metric_names(session, run.id).items()
            },
            "evaluation": [_row(result, results) for result in results],
        }


def _row(result: EvalResult, results: list[EvalResult]) -> dict[str, Any]:
    figures = {name: value for name, value in result.figures.items() if name != "per_question"}
    base = next((other for other in results if other.arm == str(Algorithm.BASE)), None)
    if base is not None and base.arm != result.arm:
        ours, theirs = result.figures["per_question"], base.figures["per_question"]
        shared = [task for task in ours if task in theirs]
        difference = paired_difference([ours[task] for task in shared], [theirs[task] for task in shared])
        figures[PAIRED] = difference.as_dict()
    return {"arm": result.arm, "iteration": result.iteration, "temperature": result.temperature, **figures}


def best_temperature(rows: list[dict[str, Any]], arm: str) -> dict[str, Any] | None:
    """The row of `arm` at the temperature where its pass@1 is highest, T = 1 included."""
    own = [row for row in rows if row["arm"] == arm or row["arm"].startswith(f"{arm}@")]
    return max(own, key=lambda row: row["pass@1"]["mean"], default=None)
