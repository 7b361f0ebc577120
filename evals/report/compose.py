"""The order of a report's parts, the same in Markdown and in HTML."""

from __future__ import annotations

from evals.report.blocks import Block
from evals.report.joined import Joined
from evals.report.sections.against_published import against_published
from evals.report.sections.behaviour import behaviour
from evals.report.sections.comparisons import comparisons
from evals.report.sections.curves import max_at_k
from evals.report.sections.failures import failures
from evals.report.sections.identity import identity
from evals.report.sections.opening import opening
from evals.report.sections.scores import scores
from evals.report.sections.spending import spending, tradeoffs

PARTS = (
    opening,
    scores,
    comparisons,
    against_published,
    tradeoffs,
    max_at_k,
    behaviour,
    spending,
    failures,
    identity,
)


def compose(joined: Joined) -> list[Block]:
    return [block for part in PARTS for block in part(joined)]
