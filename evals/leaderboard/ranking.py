"""Entries in order, and where the order means nothing. A rank is one more than the number of the better ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.leaderboard.checks import Entry, table_key
from evals.leaderboard.submission import Held
from evals.report.closed import Estimate
from evals.report.document import TaskEntry
from evals.report.joined import Column, compared


@dataclass(frozen=True, slots=True)
class Ranked:
    """`tied`: neither is shown to be better. `unpaired`: those that could not be compared by question."""

    entry: Entry
    rank: int | None
    tied: tuple[str, ...]
    unpaired: tuple[str, ...]

    @property
    def score(self) -> Estimate | None:
        return self.entry.submission.result.figures.score


@dataclass(frozen=True, slots=True)
class Board:
    """One table: the same tasks with the same items, the same judge."""

    tasks: tuple[TaskEntry, ...]
    judge: str
    prompt_sha256: str
    rows: tuple[Ranked, ...]


def boards(entries: Sequence[Entry]) -> list[Board]:
    """The fullest table first."""
    by_key: dict[object, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(table_key(entry.submission), []).append(entry)
    found = [_board(own) for own in by_key.values()]
    return sorted(
        found, key=lambda one: (-len(one.rows), [task.name for task in one.tasks], one.judge, one.prompt_sha256)
    )


def ranked(entries: Sequence[Entry]) -> list[Ranked]:
    """By score; without one at the end, and without a rank."""
    ordered = sorted(entries, key=lambda one: (-_mean(one), one.name))
    scored = [one for one in ordered if one.submission.result.figures.score is not None]
    better = {
        (a.path, b.path): _better(a, b) for a in scored for b in scored if a.path != b.path and _mean(a) >= _mean(b)
    }
    rows = [_ranked(entry, scored, better) for entry in scored]
    return [*rows, *(Ranked(one, None, (), ()) for one in ordered if one not in scored)]


def _ranked(entry: Entry, scored: Sequence[Entry], better: Mapping[tuple[Path, Path], bool]) -> Ranked:
    others = [one for one in scored if one.path != entry.path]
    above = [one for one in others if better.get((one.path, entry.path))]
    below = [one for one in others if better.get((entry.path, one.path))]
    tied = [one.name for one in others if one not in above and one not in below]
    alone = [one.name for one in others if not (_has_questions(one) and _has_questions(entry))]
    return Ranked(entry, len(above) + 1, tuple(tied), tuple(alone))


def _better(one: Entry, other: Entry) -> bool:
    """Paired by question where both hold theirs; else their intervals must not meet."""
    if _has_questions(one) and _has_questions(other):
        pair = compared(_column(other), _column(one)).entry
        return pair is not None and pair.difference.low > 0
    mine, theirs = one.submission.result.figures.score, other.submission.result.figures.score
    return mine is not None and theirs is not None and mine.low > theirs.high


def _has_questions(entry: Entry) -> bool:
    return entry.submission.held is not Held.FIGURES


def _column(entry: Entry) -> Column:
    return Column(entry.name, entry.submission.evaluation, entry.submission.result)


def _mean(entry: Entry) -> float:
    score = entry.submission.result.figures.score
    return score.mean if score else -1.0


def _board(entries: Sequence[Entry]) -> Board:
    document = entries[0].submission.evaluation
    tasks = sorted(document.tasks, key=lambda task: task.name)
    judge = document.settings.judge
    return Board(
        tuple(tasks),
        judge.name,
        judge.prompt_sha256,
        tuple(ranked(entries)),
    )
