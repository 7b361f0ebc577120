"""Each later system against the first, and all against all, paired by question; what moved; what says most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.report.blocks import Block, Heading, Paragraph, Table, table
from evals.report.closed import Estimate
from evals.report.document import ComparisonEntry, Generation
from evals.report.joined import Joined, Pair, Row
from evals.report.text import UNKNOWN, counted, cut, percent, signed, words

TELLING = 5  # questions shown a pair and direction, in a report without a browser
QUESTION_CHARS, ANSWER_CHARS = 160, 100
BY_CHANCE = 20  # of 95% intervals, one in so many leaves out what is true
STATES = ("unsolved", "partial", "solved")


def comparisons(joined: Joined) -> list[Block]:
    """Nothing for a single system."""
    pairs = [pair for pair in joined.pairs if pair.entry is not None]
    if not joined.pairs:
        return []
    found: list[Block] = [Heading("Comparisons")]
    if not any(pair.entry for pair in (*joined.pairs, *joined.others)):
        return [*found, Paragraph("No two systems can be compared: see the reasons above.", warning=True)]
    found.append(
        Paragraph(
            "Paired over the questions that both have scores for: what is hard for both cancels. A difference is shown "
            "where its interval leaves out zero."
        )
    )
    found += [_differences(joined, pairs)] if pairs else []
    found += _all(joined) if joined.others else []
    found += [_moved(pair, pair.entry) for pair in pairs if pair.entry]
    return found


def telling(joined: Joined) -> list[Block]:
    """For Markdown: questions on which two systems differ most."""
    found = [_telling(joined, pair) for pair in joined.pairs if pair.entry]
    kept = [one for one in found if one.rows]
    return [Heading("Questions that differ most"), *kept] if kept else []


def mean_score(generations: Sequence[Generation]) -> float | None:
    """None without a scored one."""
    own = [one.score for one in generations if one.score is not None]
    return sum(own) / len(own) if own else None


def _differences(joined: Joined, pairs: Sequence[Pair]) -> Table:
    tasks = [task for task in joined.tasks if any(pair.entry and task in pair.entry.tasks for pair in pairs)]
    rows: list[tuple[str, ...]] = []
    for pair in pairs:
        if pair.entry is None:
            continue
        own = pair.entry
        counts = (own.wins, own.ties, own.losses, own.unpaired)
        by_task = [signed(own.tasks.get(task)) for task in tasks]
        rows.append(
            (
                f"{own.first} minus {own.second}",
                signed(own.difference),
                said(own.difference),
                *by_task,
                *map(str, counts),
            )
        )
    titles = [joined.title(task) for task in tasks]
    header = ("pair", "difference", "shown?", *titles, "won", "tied", "lost", "unpaired")
    return table("Difference of scores, percentage points, and questions", header, rows)


def _all(joined: Joined) -> list[Block]:
    """Row minus column. Of many differences that are none, some are shown."""
    every = [pair for pair in (*joined.pairs, *joined.others) if pair.entry]
    held = {(pair.first.label, pair.second.label): pair.entry.difference for pair in every if pair.entry}
    labels = [column.label for column in joined.columns]
    rows = [(row, *(_one_of_all(held, row, column) for column in labels)) for row in labels]
    chance = (
        f"{counted(len(every), 'pair')}: where two systems do not differ, about one pair in {BY_CHANCE} is shown to, "
        "by chance alone."
    )
    caption = "All pairs: row minus column, percentage points; * where the interval leaves out zero"
    return [table(caption, ("row minus column", *labels), rows), Paragraph(chance)]


def _one_of_all(held: Mapping[tuple[str, str], Estimate], row: str, column: str) -> str:
    """Of the pair or, with its sign turned, of the pair the other way round."""
    own, turned = held.get((row, column)), held.get((column, row))
    if turned is not None:
        own = Estimate(mean=0.0 - turned.mean, low=0.0 - turned.high, high=0.0 - turned.low)
    if own is None:
        return UNKNOWN
    return signed(own) + ("*" if own.low > 0 or own.high < 0 else "")


def said(difference: Estimate) -> str:
    return "better" if difference.low > 0 else "worse" if difference.high < 0 else "no difference shown"


def _moved(pair: Pair, entry: ComparisonEntry) -> Table:
    header = ("pass rate", *STATES)
    rows = [(before, *(str(entry.transitions[before][after]) for after in STATES)) for before in STATES]
    return table(f"Questions by pass rate: rows are {entry.second}, columns {entry.first}", header, rows)


def _telling(joined: Joined, pair: Pair) -> Table:
    gains: list[tuple[float, Row]] = []
    for row in joined.rows:
        ours, theirs = (mean_score(row.answers.get(column.label, ())) for column in (pair.first, pair.second))
        if ours is not None and theirs is not None and ours != theirs and row.question.task in pair.tasks:
            gains.append((ours - theirs, row))
    ordered = sorted(gains, key=lambda gain: (-gain[0], gain[1].question.key))
    won, lost = [one for one in ordered if one[0] > 0][:TELLING], [one for one in ordered[::-1] if one[0] < 0][:TELLING]
    first, second = pair.first.label, pair.second.label
    rows = [
        (
            row.question.key,
            words(row.question.split),
            cut(row.question.question, QUESTION_CHARS),
            *(_answer(row.answers[label]) for label in (first, second)),
        )
        for _, row in [*won, *lost]
    ]
    caption = f"Greatest gains and losses of {first} against {second}: mean score, and an answer"
    return table(caption, ("question", "split", "asked", first, second), rows, words=True)


def _answer(generations: Sequence[Generation]) -> str:
    shown = next((one.answer for one in generations if one.answer), "")
    return f"{percent(mean_score(generations))}: {cut(shown, ANSWER_CHARS) or 'no answer'}"
