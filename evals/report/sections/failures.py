"""Why generations have no score, or ended without an answer."""

from __future__ import annotations

from evals.report.blocks import Block, Heading, Paragraph, table
from evals.report.joined import Joined
from evals.report.text import cut

REASONS = 20
REASON_CHARS = 160


def failures(joined: Joined) -> list[Block]:
    every = [column.result.figures.failures for column in joined.columns]
    totals: dict[str, int] = {}
    for own in every:
        for reason, count in own.items():
            totals[reason] = totals.get(reason, 0) + count
    found: list[Block] = [Heading("Failures by reason")]
    if not totals:
        return [*found, Paragraph("Every generation finished and was judged.")]
    ordered = sorted(totals, key=lambda reason: (-totals[reason], reason))
    rows = [(cut(reason, REASON_CHARS), *(str(own.get(reason, 0)) for own in every)) for reason in ordered[:REASONS]]
    if len(ordered) > REASONS:
        rest = ordered[REASONS:]
        rows.append((f"{len(rest)} other reasons", *(str(sum(own.get(one, 0) for one in rest)) for own in every)))
    header = ("reason", *(column.label for column in joined.columns))
    return [*found, table("Failed, unfinished and unjudged generations", header, rows)]
