"""Quality against cost and against latency, with the front; then the figures of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evals.report.blocks import Block, Figure, Heading, Paragraph, Table, table
from evals.report.closed import DistributionFigures
from evals.report.document import ParetoPoint
from evals.report.joined import Column, Joined
from evals.report.pareto import Point, dominates, front
from evals.report.svg.scatter import Spot, scatter
from evals.report.text import UNKNOWN, dollars, listed, number, percent

PARTS = {
    "ttfat": "to the first answer token",
    "llm": "model",
    "tool": "tools",
    "overhead": "overhead",
    "queued": "queued",
}
SECONDS = "median seconds to the first answer token"
PERCENTILES = ("mean", "p50", "p90", "p95", "p99")


def tradeoffs(joined: Joined) -> list[Block]:
    found: list[Block] = [Heading("Quality against cost and latency")]
    groups: dict[object, list[tuple[int, Column]]] = {}
    for look, column in enumerate(joined.columns):
        groups.setdefault((column.judge, _items(column)), []).append((look, column))
    if len(groups) > 1:
        found.append(
            Paragraph(
                "Not all systems had the same questions and the same judge: each plot has those that had, because no "
                "other can be said to beat one.",
                warning=True,
            )
        )
    for group, own in enumerate(groups.values()):
        found += _tradeoff(own, f"usd-{group}", "USD a query", lambda point: point.usd_per_query)
        found += _tradeoff(own, f"seconds-{group}", SECONDS, lambda point: point.seconds_p50)
    return found


def spending(joined: Joined) -> list[Block]:
    found: list[Block] = [Heading("Cost and latency"), _cost(joined)]
    found += [one for part, name in PARTS.items() if (one := _latency(joined, part, name)) is not None]
    return [*found, _spread(joined)]


def _items(column: Column) -> tuple[tuple[str, str], ...]:
    return tuple((task.name, task.judged_by) for task in column.document.tasks)


def _tradeoff(
    columns: Sequence[tuple[int, Column]], name: str, unit: str, spent: Callable[[ParetoPoint], float | None]
) -> Sequence[Block]:
    """Without a price, counted tokens, or a score, a system is left out, and why is said."""
    spots: list[Spot] = []
    left_out: dict[str, list[str]] = {}
    for look, column in columns:
        figures = column.result.figures
        at = spent(figures.pareto)
        if figures.score is None or at is None:
            left_out.setdefault(_missing(column, unit), []).append(column.label)
        else:
            spots.append(Spot(look, column.label, figures.score.mean, figures.score.low, figures.score.high, at))
    said = [Paragraph(f"Left out of quality against {unit}: {listed(own)}; {why}.") for why, own in left_out.items()]
    return [*([_picture(spots, name=name, unit=unit)] if spots else []), *said]


def _missing(column: Column, unit: str) -> str:
    figures = column.result.figures
    if figures.score is None:
        return "no overall score"
    if unit == SECONDS:
        return "no time is known"
    if figures.cost.unpriced:
        return "no price of its model is known (`karl eval --prices FILE`)"
    return "not all of its tokens were counted"


def _picture(spots: Sequence[Spot], *, name: str, unit: str) -> Figure:
    points = [Point(spot.system, spot.quality, spot.spent) for spot in spots]
    best = front(points)
    says = f"Not beaten by any other, the cheapest first: {listed([point.label for point in best])}."
    picture = scatter(spots, name=f"pareto-{name}", title=f"Score against {unit}", description=says, x_name=unit)
    shown = dollars if unit != SECONDS else number
    rows = [
        (point.label, percent(point.quality), shown(point.spent), _beaten(point, points))
        for point in sorted(points, key=lambda point: -point.quality)
    ]
    header = ("system", "score, %", unit, "beaten by")
    return Figure(f"Score against {unit}", says, picture, table(f"Score against {unit}", header, rows))


def _beaten(point: Point, points: Sequence[Point]) -> str:
    return listed([other.label for other in points if dominates(other, point)]) or "nobody: on the front"


def _cost(joined: Joined) -> Table:
    rows: list[tuple[str, ...]] = []
    for column in joined.columns:
        cost, judging = column.result.figures.cost, column.result.figures.judging
        tokens = cost.tokens_per_query.get("policy")
        counts = (tokens.input, tokens.cached_input, tokens.output) if tokens else (None, None, None)
        usd = cost.usd_per_query
        spread = f"{dollars(usd.mean)} [{dollars(usd.low)}, {dollars(usd.high)}]" if usd else UNKNOWN
        paid = dollars(judging.usd_per_query.mean) if judging.usd_per_query else UNKNOWN
        rows.append((column.label, *(UNKNOWN if n is None else f"{n:,.0f}" for n in counts), spread, paid))
    header = ("system", "tokens read", "of them cached", "tokens written", "USD a query", "the judge's USD a query")
    return table("Cost of one generation of a question, on average", header, rows)


def _latency(joined: Joined, part: str, name: str) -> Table | None:
    """None for what took nobody any time."""
    found = [(column.label, column.result.figures.latency.seconds.get(part)) for column in joined.columns]
    if not any(times and times.most > 0 for _, times in found):
        return None
    rows = [(label, *_times(times)) for label, times in found]
    return table(f"Seconds a rollout: {name}", ("system", "rollouts", *PERCENTILES, "most"), rows)


def _times(times: DistributionFigures | None) -> tuple[str, ...]:
    if times is None:
        return ("0", *[UNKNOWN] * (len(PERCENTILES) + 1))
    return (str(times.values), *(number(getattr(times, name)) for name in PERCENTILES), number(times.most))


def _spread(joined: Joined) -> Table:
    rows: list[tuple[str, ...]] = []
    for column in joined.columns:
        latency = column.result.figures.latency
        levels, known = latency.variance, latency.known
        parts = (levels.between, levels.within) if levels else (None, None)
        share = percent(levels.share_between) if levels else UNKNOWN
        counts = (str(known.get(name, 0)) for name in ("measured", "placed", "end_to_end"))
        rows.append((column.label, *map(number, parts), share, *counts))
    header = ("system", "between questions", "within one", "share between, %", "measured", "placed", "end to end")
    return table("Variance of the time to the first answer token, s², and how the times are known", header, rows)
