"""Load a task's questions and check what came against what the full set has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evals.items import EvalItem
from evals.loaders.files import existing_folder
from evals.tasks import task
from evals.tasks.reading import ALL, LeftOut, Reading
from evals.tasks.spec import TaskSpec
from store.errors import UsageError


class Shortfall(NamedTuple):
    """A count that differs from the published one; not an error, since a part of the data may be meant."""

    what: str
    expected: float
    found: float

    def __str__(self) -> str:
        return f"{self.what}: {self.found:,} here, {self.expected:,} in the full set"


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """`notes`: what the loader counted, such as how evidence was matched."""

    spec: TaskSpec
    split: str
    items: tuple[EvalItem, ...]
    shortfalls: tuple[Shortfall, ...]
    left_out: tuple[LeftOut, ...]
    notes: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether this is the full set of the published figures."""
        return not self.shortfalls and not self.left_out


def load_task(name: str, folder: str | Path, *, split: str | None = None, canary: str | None = None) -> LoadedTask:
    """The questions of one split, by default the one that is evaluated; `split="all"`: of all of them.

    Raises: UsageError for an unknown task or split, missing files, and data that is not in the published form.
    """
    wanted = task(name)
    reading = open_reading(wanted.spec, folder, split=split, canary=canary)
    items = tuple(wanted.items(reading))
    if not items:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in reading.left_out[:3])
        raise UsageError(f"{folder}: no question of split {reading.split!r}{f' ({reasons})' if reasons else ''}")
    _refuse_doubled(items, folder=reading.folder)
    return LoadedTask(
        spec=wanted.spec,
        split=reading.split,
        items=items,
        shortfalls=tuple(question_shortfalls(wanted.spec, reading.split, items)),
        left_out=tuple(reading.left_out),
        notes=dict(reading.notes),
    )


def open_reading(spec: TaskSpec, folder: str | Path, *, split: str | None = None, canary: str | None = None) -> Reading:
    """Raises: UsageError for a folder that is not there or a split that the task lacks."""
    chosen = split or spec.evaluated_split
    if chosen != ALL and spec.split(chosen) is None:
        known = ", ".join([*(part.name for part in spec.splits), ALL])
        raise UsageError(f"{spec.name} has no split {chosen!r}; there are: {known}")
    return Reading(spec=spec, folder=existing_folder(folder), split=chosen, canary=canary)


def _refuse_doubled(items: Iterable[EvalItem], *, folder: Path) -> None:
    doubled = [key for key, times in Counter(item.key for item in items).items() if times > 1]
    if doubled:
        raise UsageError(f"{folder}: {len(doubled)} question ids are there more than once, the first is {doubled[0]!r}")


def question_shortfalls(spec: TaskSpec, split: str, items: tuple[EvalItem, ...]) -> Iterable[Shortfall]:
    """Differences of questions by split, and of nuggets a question where the data has them."""
    found = Counter(item.split for item in items)
    for part in spec.splits:
        if split in (part.name, ALL) and found[part.name] != part.questions:
            yield Shortfall(f"questions of split {part.name}", part.questions, found[part.name])
    # The published mean is of the questions that the paper speaks of, not of a split that it left aside.
    further = {part.name for part in spec.splits if part.purpose == "further"}
    if not spec.expected.nuggets_published or further & found.keys():
        return
    nuggets = round(sum(len(item.nuggets) for item in items) / len(items), 1)
    if nuggets != spec.expected.nuggets:
        yield Shortfall("nuggets a question", spec.expected.nuggets, nuggets)
