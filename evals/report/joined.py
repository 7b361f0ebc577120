"""Several documents side by side: columns with labels of their own, questions matched, pairs compared where fair.

Fair is: the same items (by their hash) and the same judge. Everything else is shown, not compared, and said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from evals.report.document import ComparisonEntry, EvaluationDocument, Generation, Question, SystemResult, TaskEntry
from evals.report.figures import comparison
from evals.report.regrade import place_of, regraded
from store.errors import UsageError

HASH = 8  # digits of a hash in a label


class Column(NamedTuple):
    """One system of one document."""

    label: str
    document: EvaluationDocument
    result: SystemResult

    @property
    def name(self) -> str:
        """In its own document."""
        return self.result.entry.name

    @property
    def judge(self) -> tuple[str, str]:
        judge = self.document.settings.judge
        return judge.name, judge.prompt_sha256

    def task(self, name: str) -> TaskEntry | None:
        return next((task for task in self.document.tasks if task.name == name), None)

    def questions(self, tasks: Iterable[str]) -> list[Question]:
        wanted = set(tasks)
        return [question for question in self.document.questions if question.task in wanted]


class Row(NamedTuple):
    """A question, and by label what was answered. `items`: hash of the item set that it belongs to."""

    question: Question
    items: str
    answers: dict[str, tuple[Generation, ...]]


class Pair(NamedTuple):
    """`entry` None: not compared, and `why`. `tasks`: those with the same items in both."""

    first: Column
    second: Column
    entry: ComparisonEntry | None
    tasks: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Joined:
    """`pairs`: every later column with the first; `others`: every later one with every earlier one but the first."""

    documents: tuple[EvaluationDocument, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    others: tuple[Pair, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(task.name for document in self.documents for task in document.tasks))

    def title(self, task: str) -> str:
        return next(one.title for document in self.documents for one in document.tasks if one.name == task)


def join(documents: Sequence[EvaluationDocument]) -> Joined:
    """Raises: UsageError without documents, for one given twice, and for systems that no document holds."""
    if not documents:
        raise UsageError("no evaluation to report; `karl eval SYSTEM --suite fogbench --json > FILE` makes one")
    hashes = [document.sha256 for document in documents]
    twice = next((one for one in hashes if hashes.count(one) > 1), None)
    if twice is not None:
        raise UsageError(f"evaluation {twice[:16]} is given twice; give every one once")
    columns = _columns(documents)
    pairs = [compared(second, first) for second, first in combinations(columns, 2)]
    with_first = len(columns) - 1
    return Joined(tuple(documents), columns, _rows(columns), tuple(pairs[:with_first]), tuple(pairs[with_first:]))


def compared(second: Column, first: Column) -> Pair:
    """`first` minus `second`."""
    why = _unfair(first, second)
    tasks = shared_tasks(first, second)
    if why:
        return Pair(first, second, None, (), why)
    left, right = (regraded(column.questions(tasks), column.name, judge=column.judge[0]) for column in (first, second))
    threshold = second.document.settings.threshold
    entry = comparison((first.label, left), (second.label, right), threshold=threshold)
    return Pair(first, second, entry, tasks, "" if entry else "no question has scores of both")


def shared_tasks(first: Column, second: Column) -> tuple[str, ...]:
    """Tasks whose items are the same, their nuggets too where they were made."""
    theirs = {(task.name, task.judged_by) for task in second.document.tasks}
    return tuple(task.name for task in first.document.tasks if (task.name, task.judged_by) in theirs)


def _unfair(first: Column, second: Column) -> str:
    if first.judge != second.judge:
        return f"other judges: {first.judge[0]} and {second.judge[0]}" + (
            "" if first.judge[0] != second.judge[0] else ", with other prompts"
        )
    if not shared_tasks(first, second):
        return "no task with the same items"
    if not first.document.questions or not second.document.questions:
        return "a document without its questions can't be paired"
    return ""


def _columns(documents: Sequence[EvaluationDocument]) -> tuple[Column, ...]:
    names = [result.entry.name for document in documents for result in document.systems]
    if not names:
        raise UsageError("the evaluations hold no system; `karl eval SYSTEM ...` measures one")
    found = [
        Column(_label(result.entry.name, document, names), document, result)
        for document in documents
        for result in document.systems
    ]
    return tuple(found)


def _label(name: str, document: EvaluationDocument, names: Sequence[str]) -> str:
    return name if names.count(name) == 1 else f"{name} ({document.sha256[:HASH]})"


def _rows(columns: Sequence[Column]) -> tuple[Row, ...]:
    """A question of two documents is one row where the items of its task are the same."""
    found: dict[tuple[str, str, str, str], Row] = {}
    for column in columns:
        items = {task.name: task.judged_by for task in column.document.tasks}
        for question in column.document.questions:
            key = (items.get(question.task, ""), *place_of(question))
            row = found.setdefault(key, Row(question, key[0], {}))
            row.answers[column.label] = question.systems.get(column.name, ())
    return tuple(found.values())
