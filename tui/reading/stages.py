"""How far the stages of a run are, how fast they go, and when they will be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.models import StageProgress
from tui.reading.times import utc

WINDOW = 30.0  # seconds over which a rate is told
SHORTEST = 2.0  # seconds: a rate over less is chance


@dataclass(frozen=True, slots=True)
class StageView:
    """rate: a second, None: nothing is known yet; left: seconds, None: it is over, stands still, or nobody knows."""

    title: str
    done: int
    total: int
    rate: float | None
    left: float | None
    under_way: int
    note: str
    over: bool


class StageWatch:
    """Remembers how far the stages were when it last looked: rates are of the last half minute, not of the whole."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[datetime, int]]] = {}

    def views(self, rows: Sequence[StageProgress], *, live: bool) -> list[StageView]:
        """Those under way first, then the one written to last first. `live`: somebody works on the run."""
        self._seen = {row.title: self._noted(row) for row in rows}
        ordered = sorted(rows, key=lambda row: row.over)
        return [_view(row, self._seen[row.title], live=live) for row in ordered]

    def _noted(self, row: StageProgress) -> deque[tuple[datetime, int]]:
        seen, at = self._seen.get(row.title, deque()), utc(row.updated_at)
        if seen and seen[-1][1] > row.done:  # it begins again
            seen.clear()
        if not seen or seen[-1][0] != at:
            seen.append((at, row.done))
        while (at - seen[0][0]).total_seconds() > WINDOW:
            seen.popleft()
        return seen


def _view(row: StageProgress, seen: Sequence[tuple[datetime, int]], *, live: bool) -> StageView:
    rate = _overall(row) if row.over else _recent(seen) or _overall(row)
    left = (row.total - row.done) / rate if live and rate and not row.over and row.total >= row.done else None
    under_way = row.under_way if live and not row.over else 0
    return StageView(row.title, row.done, row.total, rate, left, under_way, row.note, row.over)


def _recent(seen: Sequence[tuple[datetime, int]]) -> float | None:
    seconds = (seen[-1][0] - seen[0][0]).total_seconds()
    return (seen[-1][1] - seen[0][1]) / seconds if seconds >= SHORTEST else None


def _overall(row: StageProgress) -> float | None:
    seconds = (utc(row.updated_at) - utc(row.began_at)).total_seconds()
    return (row.done - row.first) / seconds if seconds > 0 and row.done > row.first else None
