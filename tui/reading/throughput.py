"""How fast rollouts come in: what the newest of them read, sampled and searched, over the time that they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.queries import Finished
from tui.reading.times import utc

WINDOW = timedelta(seconds=30)
TOGETHER = timedelta(seconds=1)  # rollouts are written many at once, within this time


@dataclass(frozen=True, slots=True)
class Throughput:
    """Each a second; seconds: the time over which they were counted; newest: when the last rollout was written."""

    rollouts: float
    sampled: float
    read: float
    searches: float
    seconds: float
    newest: datetime


def throughput(rollouts: Sequence[Finished], *, began: datetime | None) -> Throughput | None:
    """Of at least the last half minute, from one writing of rollouts to another: between two there may be minutes.

    began: of the stage under way, from which the first rollouts count. None: too few were written to tell.
    """
    if not rollouts:
        return None
    times = sorted(utc(row.at) for row in rollouts)
    newest = times[-1]
    start = _start(times, newest, began=utc(began) if began is not None else None)
    seconds = (newest - start).total_seconds()
    if seconds < TOGETHER.total_seconds():
        return None
    # What was written together with the first was made before it.
    counted = [row for row in rollouts if utc(row.at) > start + TOGETHER]
    return Throughput(
        rollouts=len(counted) / seconds,
        sampled=sum(row.sampled_tokens for row in counted) / seconds,
        read=sum(row.prompt_tokens for row in counted) / seconds,
        searches=sum(row.searches for row in counted) / seconds,
        seconds=seconds,
        newest=newest,
    )


def _start(times: Sequence[datetime], newest: datetime, *, began: datetime | None) -> datetime:
    before = [at for at in times if at <= newest - WINDOW]
    # Rollouts of the stage before are of another kind: they say nothing of this one.
    if began is not None and began < newest and (not before or before[-1] < began):
        return began
    return before[-1] if before else times[0]
