"""Is the planted answer the only one? Asks the solver, rejects the question or says in one sentence why."""

from __future__ import annotations

from collections.abc import Sequence

from evals.fog.facts import Fact, spoken
from evals.fog.query import Draft, Query
from evals.fog.regimes.phrases import join_and
from evals.fog.solver import Contradiction, Row, Solver, calculate
from evals.fog.world import UNDATED

SHOWN = 4  # near misses and overruled statements that a proof names; more are counted


class Rejected(Exception):
    """The whole fact base does not give exactly the planted answer."""


def prove(draft: Draft, solver: Solver) -> tuple[str, tuple[str, ...]]:
    """(the proof in a sentence, keys of the documents that hold the evidence). Raises: Rejected."""
    _refuse_told(draft)
    try:
        rows = solver.rows(draft.query)
        _compare(draft, rows)
        sentence = "; ".join(filter(None, (_only(draft, rows, solver), _near(draft, solver), _overruled(rows, solver))))
    except Contradiction as exc:
        raise Rejected(str(exc)) from exc
    return f"{sentence}.", _gold(draft, rows, solver)


def _refuse_told(draft: Draft) -> None:
    answers = [draft.reference, *(t for n in draft.nuggets for t in (n.text, *n.aliases))]
    told = [answer for answer in answers if answer.casefold() in draft.question.casefold()]
    if told:
        raise Rejected(f"the question contains its answer {told[0]!r}")


def _compare(draft: Draft, rows: Sequence[Row]) -> None:
    found = {row.subject: row.values for row in rows}
    if found != dict(draft.rows):
        raise Rejected(f"planted {dict(draft.rows)}, found {found}")
    if draft.query.operation is not None:
        result = calculate(draft.query.operation, rows)
        if result != draft.number:
            raise Rejected(f"planted {draft.number}, calculated {result}")


def _only(draft: Draft, rows: Sequence[Row], solver: Solver) -> str:
    total = solver.count(_relation(draft.query))
    conditions = join_and([condition.text for condition in draft.query.conditions])
    sentence = f"of {total} {draft.things} in the documents, exactly {len(rows)} meet{'s' * (len(rows) == 1)} what is "
    sentence += f"asked ({conditions})"
    if draft.query.operation:
        return f"{sentence.capitalize()[:1]}{sentence[1:]}, and {_calculated(draft, rows, solver)}"
    if len(draft.query.paths) > 1 or rows[0].values:
        sentence += f", and what is asked of {'it' if len(rows) == 1 else 'them'} has one newest statement"
    return f"{sentence[:1].upper()}{sentence[1:]}"


def _relation(query: Query) -> str:
    """A relation that every thing of the sought kind has."""
    return next(path[0] for path in (*(c.path for c in query.conditions), *reversed(query.paths)) if path)


def _calculated(draft: Draft, rows: Sequence[Row], solver: Solver) -> str:
    signs = {"difference": " - ", "sum": " + ", "percentage": " / ", "count": ""}
    if draft.query.operation == "count":
        return f"they are counted: {draft.reference}"
    text = signs[draft.query.operation or "sum"].join(rows[0].values) + f" = {draft.reference}"
    like = [name for path in draft.query.paths for name in solver.like(rows[0].subject, path[-1])]
    like = list(dict.fromkeys(like))  # a line of two years is one line
    return text + (f", from these lines and not from {_some(like)}" if like else "")


def _near(draft: Draft, solver: Solver) -> str:
    """Each planted near miss with the one condition that it fails. Raises: Rejected where it is none."""
    said: list[str] = []
    for subject in draft.near:
        failed = solver.failed(subject, draft.query)
        if len(failed) != 1:
            raise Rejected(f"{subject} is no near miss: it fails {len(failed)} conditions")
        actual, trail = solver.walk(subject, failed[0].path)
        once = [f", newer than {_said(older)}" for fact in trail for older in solver.overruled(fact)]
        said.append(f'{subject} fails only "{failed[0].text}" ({actual} instead{"".join(once)})')
    return _some(said)


def _overruled(rows: Sequence[Row], solver: Solver) -> str:
    facts = dict.fromkeys(fact for row in rows for fact in row.trail)
    older = dict.fromkeys(other for fact in facts for other in solver.overruled(fact))
    said = list(dict.fromkeys(map(_said, older)))
    return f"older statements that newer ones overrule: {_some(said)}" if said else ""


def _said(fact: Fact) -> str:
    when = "" if fact.date == UNDATED else f" of {spoken(fact.date)}"
    return f"{fact.document}{when}"


def _some(said: Sequence[str]) -> str:
    rest = len(said) - SHOWN
    return "; ".join(said[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


def _gold(draft: Draft, rows: Sequence[Row], solver: Solver) -> tuple[str, ...]:
    """Documents that say the answer, that explain other names, and that overrule what one of these says wrongly."""
    facts = [explained for row in rows for fact in row.trail for explained in solver.explained(fact)]
    names = [solver.newest("alias", row.subject) for row in rows]
    facts += [fact for fact in names if fact and fact.object in draft.question]
    gold = dict.fromkeys(fact.document for fact in facts)
    against = [fact for subject in draft.near for fact in _failing(subject, draft.query, solver)]
    gold |= dict.fromkeys(f.document for f in against if any(old.document in gold for old in solver.overruled(f)))
    return tuple(gold)


def _failing(subject: str, query: Query, solver: Solver) -> list[Fact]:
    """The newest facts by which a near miss fails."""
    return [fact for condition in solver.failed(subject, query) for fact in solver.walk(subject, condition.path)[1]]
