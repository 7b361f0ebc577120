"""How the systems searched: the six classes, lengths, documents, recall of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evals.report.behaviour import BehaviourFigures, RecallFigures
from evals.report.blocks import Block, Figure, Heading, Paragraph, Table, table
from evals.report.closed import DistributionFigures
from evals.report.joined import Joined
from evals.report.svg.curves import Knot, Series, curves
from evals.report.svg.dots import Dot, Lane, dots
from evals.report.text import UNKNOWN, interval, listed, number, percent, words

LENGTHS = ("turns", "searches", "distinct_queries", "unique_documents", "compressions")
PARTS = ("all", "some", "none")


class _Own(NamedTuple):
    look: int
    label: str
    figures: BehaviourFigures


def behaviour(joined: Joined) -> list[Block]:
    own = [
        _Own(look, column.label, figures)
        for look, column in enumerate(joined.columns)
        if (figures := column.result.figures.behaviour) is not None
    ]
    without = [column.label for column in joined.columns if column.result.figures.behaviour is None]
    found: list[Block] = [Heading("Behaviour")]
    if without:
        said = "shows no steps of its own" if len(without) == 1 else "show no steps of their own"
        found.append(Paragraph(f"{listed(without)} {said}: there is nothing to classify."))
    if not own:
        return found
    found += [_classes(own), _lengths(own)]
    found += [one for one in (_documents(own), _recall(own)) if one is not None]
    return found


def _classes(own: Sequence[_Own]) -> Figure:
    names = list(dict.fromkeys(name for one in own for name in one.figures.classes))
    lanes = [
        Lane(
            words(name),
            tuple(
                Dot(one.look, one.label, one.figures.classes[name].share) for one in own if name in one.figures.classes
            ),
        )
        for name in names
    ]
    says = "Share of rollouts in each class, by rules in the order of priority; right answers among them in the table."
    title = "Search behaviour"
    picture = dots(lanes, name="behaviour", title=title, description=says, x_name="share of rollouts, %")
    rows = [(words(name), *(_class(one.figures, name) for one in own)) for name in names]
    header = ("class", *(one.label for one in own))
    return Figure(title, says, picture, table("Share of rollouts, % (right among them, %)", header, rows))


def _class(figures: BehaviourFigures, name: str) -> str:
    found = figures.classes.get(name)
    if found is None:
        return UNKNOWN
    return percent(found.share) + ("" if found.solved is None else f" ({percent(found.solved)})")


def _lengths(own: Sequence[_Own]) -> Table:
    rows = [(words(name), *(_spread(getattr(one.figures, name)) for one in own)) for name in LENGTHS]
    header = ("a rollout's", *(one.label for one in own))
    return table("Lengths: mean; p50, p90 and the most", header, rows)


def _spread(found: DistributionFigures | None) -> str:
    if found is None:
        return UNKNOWN
    return f"{number(found.mean)}; {', '.join(map(number, (found.p50, found.p90, found.most)))}"


def _documents(own: Sequence[_Own]) -> Figure | None:
    series = [
        Series(
            one.look, one.label, tuple(Knot(n, seen) for n, seen in enumerate(one.figures.unique_documents_by_turn, 1))
        )
        for one in own
        if one.figures.unique_documents_by_turn
    ]
    if not series:
        return None
    title, says = "Unique documents by turn", "Mean number of different documents that a rollout was shown so far."
    picture = curves(series, name="documents", title=title, description=says, x_name="turn", y_name="documents")
    turns = _few(max(len(one.points) for one in series))
    rows = [
        (one.system, *(number(one.points[turn - 1].y) if turn <= len(one.points) else UNKNOWN for turn in turns))
        for one in series
    ]
    return Figure(title, says, picture, table(title, ("system", *(f"turn {turn}" for turn in turns)), rows))


def _few(turns: int) -> list[int]:
    """The first ones, then as many again each time, and the last."""
    return sorted(
        {turn for turn in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192) if turn <= turns} | {turns}
    )


def _recall(own: Sequence[_Own]) -> Table | None:
    every = [one.figures.recall for one in own]
    if not any(every):
        return None
    rows = [
        ("recall of the evidence, %", *(percent(one.recall) if one else UNKNOWN for one in every)),
        *(
            (f"searches {name} full recall", *(_spread(_searches(one, name)) for one in every))
            for name in ("to", "after")
        ),
        *((f"right with {part} of the evidence, %", *(_right(one, part) for one in every)) for part in PARTS),
    ]
    header = ("evidence", *(one.label for one in own))
    return table("Retrieval of the evidence, over rollouts whose question names it", header, rows)


def _searches(found: RecallFigures | None, name: str) -> DistributionFigures | None:
    return getattr(found, f"searches_{name}_full_recall") if found else None


def _right(found: RecallFigures | None, part: str) -> str:
    accuracy = found.accuracy.get(part) if found else None
    if accuracy is None:
        return UNKNOWN
    return f"{interval(accuracy.solved)} of {accuracy.rollouts}"
