"""A run's summary as rich tables: the funnel and the before/after comparison."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from karl.summary import PAIRED, best_temperature

LABELS = {
    "base": "base",
    "oapl": "OAPL, iteration {}",
    "sft": "SFT on winners, iteration {}",
}


def print_summary(summary: dict[str, Any], console: Console) -> None:
    for iteration in summary["iterations"]:
        print_funnel(iteration, console)
    if summary["evaluation"]:
        console.print(comparison(summary))
    for series, values in summary["training"].items():
        if "drift_mean" in values:
            console.print(
                f"{series}: engine and trainer log-probs differed by {values['drift_mean']:.1e} nats in the mean, "
                f"{values['drift_max']:.1e} at most",
                soft_wrap=True,
            )
    if summary["failures"]:
        told = ", ".join(f"{count} {kind}" for kind, count in summary["failures"].items())
        console.print(f"failed or unfinished rollouts, left as rows in the store: {told}")


def print_funnel(iteration: dict[str, Any], console: Console) -> None:
    counts = " > ".join(f"{count} {stage.replace('_', ' ')}" for stage, count in iteration["counts"].items())
    seconds = sum(iteration["seconds"].values())
    console.print(f"iteration {iteration['number']}: {counts}  [dim]({seconds:.0f} s)", soft_wrap=True)
    for fate, reasons in iteration["reasons"].items():
        told = "; ".join(f"{reason} ({count})" for reason, count in list(reasons.items())[:3] if reason)
        if told:
            console.print(f"  [dim]{iteration['dropped'][fate]} {fate.replace('_', ' ')}: {told}", soft_wrap=True)


def comparison(summary: dict[str, Any]) -> Table:
    """Before and after on the held-out questions, with the controls, and the best temperature of the first and last."""
    rows = summary["evaluation"]
    widest = next(name for name in rows[0] if name.startswith("max@"))
    questions, attempts = rows[0]["questions"], rows[0]["attempts"]
    table = Table(title=f"{summary['run']}: {questions} held-out questions, {attempts} rollouts a row, 95% intervals")
    for header in ("policy", "T", "pass@1", "vs base", widest, "searches", "tokens", "unfinished"):
        table.add_column(header, justify="left" if header == "policy" else "right")
    for row in [row for row in rows if "@" not in row["arm"]]:
        table.add_row(*_cells(row, _label(row["arm"]), widest))
    table.add_section()
    arms = [row["arm"] for row in rows if "@" not in row["arm"]]
    swept = [arm for arm in arms if any(row["arm"].startswith(f"{arm}@") for row in rows)]
    for arm in swept:
        best = best_temperature(rows, arm)
        if best is not None:
            table.add_row(*_cells(best, f"{_label(arm)}, its best T", widest))
    return table


def _label(arm: str) -> str:
    algorithm, _, number = arm.partition("-")
    return LABELS.get(algorithm, algorithm).format(number)


def _cells(row: dict[str, Any], label: str, widest: str) -> list[str]:
    gain = row.get(PAIRED)
    return [
        label,
        f"{row['temperature']:g}",
        _interval(row["pass@1"]),
        f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]" if gain else "",
        _interval(row[widest]),
        f"{row['searches']['mean']:.2f}",
        f"{row['sampled_tokens']['mean']:.0f}",
        f"{row['unfinished']:.1%}",
    ]


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['mean']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
