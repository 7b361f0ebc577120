"""Whether a submission may stand on a board: what was asked, in full, figures that follow from the generations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.leaderboard.identity import Identity, identity_of
from evals.leaderboard.recompute import recomputed_problems
from evals.leaderboard.submission import Held, Submission
from evals.report.document import TaskEntry
from evals.tasks import KARLBENCH, TASKS
from store.errors import UsageError

WITHOUT_SCORE = 0.05  # share of generations, at most: leaving out what went wrong would raise a mean


Asked = tuple[str, str, int]
"""Split and key of a question, and its number of facts: what is there whatever texts are held back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission with where it was read."""

    path: Path
    submission: Submission

    @property
    def name(self) -> str:
        return self.submission.system

    @property
    def verified(self) -> str:
        """What stands behind its figures."""
        if self.submission.held is Held.FIGURES:
            return "as stated"
        identity = identity_of(self.submission.evaluation)
        return "recomputed" if identity is Identity.RECOMPUTED else "recomputed, hash as stated"


def problems(entry: Entry) -> list[str]:
    """Each with file, key and the mend; none: it may be added."""
    return [f"{entry.path}: {key}: {said}" for key, said in _problems(entry.submission)]


def duplicates(entries: Sequence[Entry]) -> list[str]:
    """Each later one that is there already: the same evaluation of the same system, or another of the same name."""
    seen: dict[tuple[str, ...], Entry] = {}
    found: list[str] = []
    for entry in entries:
        own = entry.submission
        measured = ("evaluation", own.evaluation.sha256, own.measured)
        named = ("name", own.system.casefold(), own.organisation.casefold(), *map(str, table_key(own)))
        if measured in seen:
            found.append(
                f"{entry.path}: evaluation.sha256: {own.measured!r} of evaluation {own.evaluation.sha256[:16]} is in "
                f"{seen[measured].path} already; submit every measurement once"
            )
        elif named in seen:
            found.append(
                f"{entry.path}: system: {own.system!r} of {own.organisation} is in {seen[named].path} already, on the "
                "same tasks and judge; put a version into the name, or remove the old file"
            )
        seen.setdefault(measured, entry)
        seen.setdefault(named, entry)
    return found


def strangers(entries: Sequence[Entry]) -> list[str]:
    """Entries with the same items, by their hash, and other questions: one of the two was edited."""
    seen: dict[tuple[str, str], tuple[Entry, frozenset[Asked]]] = {}
    found: list[str] = []
    for entry in entries:
        if entry.submission.held is Held.FIGURES:
            continue
        for number, task in enumerate(entry.submission.evaluation.tasks):
            own = _asked(entry, task.name)
            first, theirs = seen.setdefault((task.name, task.items_sha256), (entry, own))
            if own != theirs:
                key = min(own ^ theirs)[1]
                found.append(
                    f"{entry.path}: evaluation.tasks.{number}.items_sha256: is that of {first.path}, and the questions "
                    f"of {task.name} are others ({key!r}); submit the document as `karl eval --json` wrote it"
                )
    return found


def _asked(entry: Entry, task: str) -> frozenset[Asked]:
    held = entry.submission.evaluation.questions
    return frozenset((one.split, one.key, len(one.nuggets)) for one in held if one.task == task)


def check(entry: Entry) -> None:
    """Raises: UsageError with every problem."""
    found = problems(entry)
    if found:
        raise UsageError("\n".join(found))


def table_key(submission: Submission) -> tuple[tuple[tuple[str, str], ...], str, str]:
    """What entries of one table have in common: tasks with their items, and the judge with its prompt."""
    document = submission.evaluation
    tasks = tuple(sorted((task.name, task.judged_by) for task in document.tasks))
    return tasks, document.settings.judge.name, document.settings.judge.prompt_sha256


def _problems(submission: Submission) -> Iterator[tuple[str, str]]:
    document = submission.evaluation
    if identity_of(document) is Identity.WRONG:
        yield (
            "evaluation.sha256",
            "is not the hash of these items, corpora, systems, samples, seed and judge; submit the document as "
            "`karl eval --json` wrote it",
        )
    if document.settings.limit is not None:
        yield "evaluation.settings.limit", f"is {document.settings.limit}; a board takes whole sets: leave out --limit"
    for number, task in enumerate(document.tasks):
        yield from _task(submission, task, f"evaluation.tasks.{number}")
    yield from _unscored(submission)
    if submission.held is Held.FIGURES and document.questions:
        yield "held", 'is "figures", and there are questions; write "labels" or "all"'
    if submission.held is not Held.FIGURES and not document.questions:
        yield "evaluation.questions", 'is empty, so nothing can be recomputed; set held to "figures" to say so'
    for key, said in recomputed_problems(document, submission.held):
        yield f"evaluation.{key}", f"{said}; submit the document as `karl eval --json` wrote it"


def _task(submission: Submission, task: TaskEntry, where: str) -> Iterator[tuple[str, str]]:
    if not task.complete:
        yield f"{where}.complete", f"{task.name} was not asked in full ({task.questions} questions); measure all of it"
    if task.name in KARLBENCH:
        split = TASKS[task.name].spec.splits[0]
        if task.questions != split.questions:
            yield f"{where}.questions", f"{task.name} has {split.questions} questions, {task.questions} were asked"
    held = sum(question.task == task.name for question in submission.evaluation.questions)
    if submission.held is not Held.FIGURES and held != task.questions:
        yield f"{where}.questions", f"states {task.questions}, and the document holds {held} of {task.name}"
    if task.name not in submission.result.figures.tasks:
        yield f"{where}.name", f"{submission.measured} has no figures of {task.name}"


def _unscored(submission: Submission) -> Iterator[tuple[str, str]]:
    for name, own in submission.result.figures.tasks.items():
        gone = own.failed + own.unjudged
        if gone > WITHOUT_SCORE * own.generations:
            yield (
                f"evaluation.systems.{submission.measured}.figures.tasks.{name}",
                f"{gone} of {own.generations} generations have no score, more than {WITHOUT_SCORE:.0%}; the same "
                "`karl eval` tries them again",
            )
