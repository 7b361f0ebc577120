"""A run's summary as rich tables: the funnel and the before/after comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.box import HEAVY_HEAD, Box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from karl.page import PLAIN_WIDTH, roomy
from karl.summary import PAIRED, best_temperature

LABELS = {"base": "base", "oapl": "OAPL", "grpo": "GRPO", "sft": "SFT"}
LEGEND = (
    "means with 95% intervals; OAPL n, SFT n: after iteration n, SFT on the winning rollouts of the same data; "
    "T: sampling temperature where it is not 1, the best of those tried"
)


def print_summary(summary: dict[str, Any], console: Console) -> None:
    for iteration in summary["iterations"]:
        print_funnel(iteration, console)
    if summary["evaluation"]:
        # Where no terminal says how much room there is, a row is a line.
        page = roomy(console)
        page.print(comparison(summary, page))
    for series, values in summary["training"].items():
        if "drift_mean" in values:
            console.print(
                f"{series}: engine and trainer log-probs differed by {values['drift_mean']:.1e} nats in the mean, "
                f"{values['drift_max']:.1e} at most{_tokens(values)}",
                soft_wrap=True,
            )
    if summary["broken_edits"]:
        times = "once" if summary["broken_edits"] == 1 else f"{summary['broken_edits']} times"
        console.print(f"a broken edit of a graph or prompt was left aside {times}: the ones read before went on")
    if summary["failures"]:
        told = ", ".join(f"{count} {kind}" for kind, count in summary["failures"].items())
        console.print(f"failed or unfinished rollouts, left as rows in the store: {told}")


def _tokens(values: Mapping[str, float]) -> str:
    if "tokens_identical" not in values:
        return ""
    identical, compared = values["tokens_identical"], values["tokens_compared"]
    return f"; token ids of {identical:.0f} of {compared:.0f} segments are exactly what the engine saw"


def print_funnel(iteration: dict[str, Any], console: Console) -> None:
    counts = " > ".join(f"{count} {stage.replace('_', ' ')}" for stage, count in iteration["counts"].items())
    seconds = sum(iteration["seconds"].values())
    console.print(f"iteration {iteration['number']}: {counts}  [dim]({seconds:.0f} s)[/]", soft_wrap=True)
    for fate, reasons in iteration["reasons"].items():
        told = "; ".join(f"{reason} ({count})" for reason, count in list(reasons.items())[:3] if reason)
        if told:
            line = f"  {iteration['dropped'][fate]} {fate.replace('_', ' ')}: {told}"
            # Reasons quote questions and answers: brackets in them are no markup.
            console.print(line, style="dim", markup=False, soft_wrap=True)


class Layout(NamedTuple):
    """How the comparison is drawn: intervals beside the mean or below it, and the columns that there is room for."""

    two_lines: bool
    columns: tuple[str, ...]


ALL = ("pass@1", "vs base", "max", "searches", "tokens", "unfinished")
LAYOUTS = (Layout(False, ALL), Layout(True, ALL), Layout(True, ALL[:4]), Layout(True, ALL[:3]))


def comparison(summary: dict[str, Any], console: Console) -> Table:
    """Before and after on the held-out questions, in the widest layout that fits; one plain line a row when piped."""
    if not console.is_terminal:
        return _table(summary, LAYOUTS[0], box=None)
    tables = [_table(summary, layout, box=HEAVY_HEAD) for layout in LAYOUTS]
    unlimited = console.options.update(width=PLAIN_WIDTH)  # a table measured in less room would claim to fit
    fitting = (t for t in tables if Measurement.get(console, unlimited, t).maximum <= console.width)
    return next(fitting, tables[-1])


def _table(summary: dict[str, Any], layout: Layout, *, box: Box | None) -> Table:
    rows = summary["evaluation"]
    widest = next(name for name in rows[0] if name.startswith("max@"))
    title = f"{summary['run']}: {rows[0]['questions']} held-out questions, {rows[0]['attempts']} rollouts a row"
    table = Table(title=title, caption=LEGEND, box=box, title_justify="left", caption_justify="left")
    table.add_column("policy", no_wrap=True)
    for name in layout.columns:
        table.add_column(widest if name == "max" else name, justify="right", no_wrap=True)
    for row in [row for row in rows if "@" not in row["arm"]]:
        table.add_row(_label(row), *_cells(row, layout, widest=widest))
    table.add_section()
    for row in _swept(rows):
        table.add_row(_label(row), *_cells(row, layout, widest=widest))
    return table


def _swept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each policy that was evaluated at several temperatures, at its best one."""
    arms = [row["arm"] for row in rows if any(other["arm"].startswith(f"{row['arm']}@") for other in rows)]
    return [best for arm in arms if (best := best_temperature(rows, arm)) is not None]


def _label(row: dict[str, Any]) -> str:
    algorithm, _, number = row["arm"].partition("@")[0].partition("-")
    name = " ".join(part for part in (LABELS.get(algorithm, algorithm), number) if part)
    return name if row["temperature"] == 1.0 else f"{name}, T {row['temperature']:g}"


def _cells(row: dict[str, Any], layout: Layout, *, widest: str) -> list[str]:
    gain = row.get(PAIRED)
    cells = {
        "pass@1": _interval(row["pass@1"], layout, sign=""),
        "vs base": _interval(gain, layout, sign="+") if gain else "",
        "max": _interval(row[widest], layout, sign=""),
        "searches": f"{row['searches']['mean']:.2f}",
        "tokens": f"{row['sampled_tokens']['mean']:.0f}",
        "unfinished": f"{row['unfinished']:.1%}",
    }
    return [cells[name] for name in layout.columns]


def _interval(figure: dict[str, float], layout: Layout, *, sign: str) -> str:
    mean, low, high = (f"{figure[part]:{sign}.3f}" for part in ("mean", "low", "high"))
    return f"{mean}\n[dim]{low}..{high}[/]" if layout.two_lines else f"{mean} ({low}..{high})"
