"""Figures worked out once more from the labels of every generation: whatever differs from what is stated is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evals.leaderboard.submission import Held
from evals.prices import PriceTable
from evals.report.document import EvaluationDocument, Generation, Question, SystemResult
from evals.report.figures import system_figures
from evals.report.regrade import regraded
from store.types import RolloutStatus

ROUNDING = 1.5e-4  # figures are rounded to four digits
SHOWN = 5  # problems of one kind


def recomputed_problems(document: EvaluationDocument, held: Held) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of every system in the document."""
    if held is Held.FIGURES:
        return
    for place, result in enumerate(document.systems):
        yield from _first(_generations(document, result), f"systems.{place}")
        yield from _first(_figures(document, result, held, f"systems.{place}.figures"), f"systems.{place}.figures")


def _generations(document: EvaluationDocument, result: SystemResult) -> Iterator[tuple[str, str]]:
    for number, question in enumerate(document.questions):
        own = question.systems.get(result.entry.name, ())
        place = f"questions.{number}.systems.{result.entry.name}"
        attempts = [one.attempt for one in own]
        if len(attempts) != document.settings.samples or len(set(attempts)) != len(attempts):
            wanted = document.settings.samples
            yield (
                place,
                f"{question.key}: {len(attempts)} generations, {len(set(attempts))} different ones; {wanted} asked for",
            )
        for index, one in enumerate(own):
            said = _label_problem(question, one)
            if said:
                yield f"{place}.{index}", f"{question.key}: {said}"


def _label_problem(question: Question, one: Generation) -> str:
    """Empty where labels, status and score agree."""
    (graded,) = regraded([question.model_copy(update={"systems": {"": (one,)}})], "")
    if one.labels and len(one.labels) != len(question.nuggets):
        return f"{len(one.labels)} labels for {len(question.nuggets)} facts"
    if one.status != RolloutStatus.FINISHED and one.labels:
        return f"labels of a rollout that is {one.status}"
    for name in ("score", "half_credit"):
        stated, found = getattr(one, name), getattr(graded, name)
        if (stated is None) != (found is None) or (stated is not None and abs(stated - (found or 0.0)) > ROUNDING):
            return f"{name} is {stated}, and its labels come to {found}"
    return ""


def _figures(document: EvaluationDocument, result: SystemResult, held: Held, where: str) -> Iterator[tuple[str, str]]:
    model = result.entry.model
    found = system_figures(
        regraded(document.questions, result.entry.name, judge=document.settings.judge.name, model=model),
        tasks=[task.name for task in document.tasks],
        samples=document.settings.samples,
        threshold=document.settings.threshold,
        prices=PriceTable(models=document.settings.prices),
        behaviour=None,
    )
    kept = {"score", "tasks", "curve", "failures"}
    stated, again = (_flat(one.model_dump(mode="json", include=kept)) for one in (result.figures, found))
    for key in sorted(stated.keys() | again.keys()):
        mine, theirs = again.get(key), stated.get(key)
        if not _same(theirs, mine):
            yield f"{where}.{key}", f"states {theirs}, and the generations come to {mine}"
    if not _same(result.figures.pareto.score, found.pareto.score):
        yield f"{where}.pareto.score", f"states {result.figures.pareto.score}, the score is {found.pareto.score}"
    yield from _spent(document, result, where)


def _spent(document: EvaluationDocument, result: SystemResult, where: str) -> Iterator[tuple[str, str]]:
    """A query's cost is the mean of its generations' costs; unknown as soon as one of them is."""
    own = [question.systems.get(result.entry.name, ()) for question in document.questions]
    means = [_mean([one.usd for one in generations]) for generations in own if generations]
    known = [mean for mean in means if mean is not None]
    found = sum(known) / len(known) if known and len(known) == len(means) else None
    for key, stated in (
        (
            "cost.usd_per_query.mean",
            result.figures.cost.usd_per_query.mean if result.figures.cost.usd_per_query else None,
        ),
        ("pareto.usd_per_query", result.figures.pareto.usd_per_query),
    ):
        # Four significant digits are kept of a cost.
        if (stated is None) != (found is None) or (stated is not None and abs(stated - (found or 0)) > 1e-3 * stated):
            yield f"{where}.{key}", f"states {stated}, and the generations come to {found}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """Key path -> leaf; an empty object or list is none."""
    if isinstance(value, Mapping):
        parts: Sequence[tuple[str, Any]] = list(value.items())
    elif isinstance(value, list):
        parts = [(str(n), one) for n, one in enumerate(value)]
    else:
        return {key: value}
    return {k: leaf for name, one in parts for k, leaf in _flat(one, f"{key}.{name}".strip(".")).items()}


def _same(stated: Any, found: Any) -> bool:
    if isinstance(stated, int | float) and isinstance(found, int | float):
        return abs(stated - found) <= ROUNDING
    return stated == found


def _first(problems: Iterator[tuple[str, str]], where: str) -> Iterator[tuple[str, str]]:
    """The first few: one changed label moves many means."""
    every = list(problems)
    yield from every[:SHOWN]
    if len(every) > SHOWN:
        yield where, f"and {len(every) - SHOWN} more of this kind"
