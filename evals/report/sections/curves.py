"""The best of k generations, for all tasks together and for each."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report.blocks import Block, Figure, Heading, Paragraph, table
from evals.report.closed import CurvePoint
from evals.report.joined import Joined
from evals.report.svg.curves import Knot, Series, curves
from evals.report.text import UNKNOWN, counted, interval


def max_at_k(joined: Joined) -> list[Block]:
    found: list[Block] = [Heading("Best of k generations")]
    if all(column.document.settings.samples == 1 for column in joined.columns):
        return [*found, Paragraph("There is one generation a question: `karl eval --samples 4` makes a curve.")]
    found.append(_figure(joined, [column.result.figures.curve for column in joined.columns], "all", "all tasks"))
    if len(joined.tasks) > 1:
        for number, task in enumerate(joined.tasks):
            every = [column.result.figures.tasks.get(task) for column in joined.columns]
            found.append(_figure(joined, [own.curve if own else () for own in every], str(number), joined.title(task)))
    return [one for one in found if not isinstance(one, Figure) or one.table.rows]


def _figure(joined: Joined, every: Sequence[Sequence[CurvePoint]], name: str, title: str) -> Figure:
    series = [
        Series(look, column.label, tuple(map(_knot, points)))
        for look, (column, points) in enumerate(zip(joined.columns, every, strict=True))
        if points
    ]
    says = "The expected best score of k generations of a question (unbiased), averaged over questions."
    caption = f"max@k, {title}"
    picture = (
        curves(
            series,
            name=f"max-at-k-{name}",
            title=caption,
            description=says,
            x_name="k",
            y_name="score, %",
            doubling=True,
        )
        if series
        else ""
    )
    ks = sorted({point.k for points in every for point in points})
    rows = [
        (column.label, *(_cell(points, k) for k in ks))
        for column, points in zip(joined.columns, every, strict=True)
        if points
    ]
    return Figure(caption, says, picture, table(f"{caption}, %", ("system", *(f"k = {k}" for k in ks)), rows))


def _knot(point: CurvePoint) -> Knot:
    return Knot(point.k, *(100 * value for value in (point.score.mean, point.score.low, point.score.high)))


def _cell(points: Sequence[CurvePoint], k: int) -> str:
    """A point over fewer questions than the first says so."""
    point = next((one for one in points if one.k == k), None)
    if point is None:
        return UNKNOWN
    fewer = f" ({counted(point.questions, 'question')})" if point.questions < points[0].questions else ""
    return interval(point.score) + fewer
