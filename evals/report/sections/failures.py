"""Why generations have no score, or ended without an answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from evals.report.blocks import Block, Heading, Paragraph, table
from evals.report.joined import Joined
from evals.report.text import cut

REASONS = 20
REASON_CHARS = 160
ANY = "…"  # stands where reasons differ in a number alone
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def failures(joined: Joined) -> list[Block]:
    every = _alike([column.result.figures.failures for column in joined.columns])
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


def _alike(every: list[dict[str, int]]) -> list[Mapping[str, int]]:
    """With one name for reasons that differ in their numbers alone: only the numbers that differ are left out."""
    groups: dict[str, list[str]] = {}
    for reason in dict.fromkeys(reason for own in every for reason in own):
        # Parted at its numbers: whatever else may stand there, no reason holds this.
        groups.setdefault(_NUMBER.sub("\0", reason), []).append(reason)
    names = {reason: _common(own) for own in groups.values() for reason in own}
    return [_summed(own, names) for own in every]


def _summed(own: Mapping[str, int], names: Mapping[str, str]) -> Mapping[str, int]:
    found = Counter[str]()
    for reason, count in own.items():
        found[names[reason]] += count
    return found


def _common(reasons: list[str]) -> str:
    numbers = zip(*map(_NUMBER.findall, reasons), strict=True)
    kept = iter([own[0] if len(set(own)) == 1 else ANY for own in numbers])
    return _NUMBER.sub(lambda _: next(kept), reasons[0])
