"""Lists of entities against gold entities with aliases: QAMPARI's published metrics.

Per question, after the reader evaluation of QAMPARI's repository: precision = gold entities found / distinct entities
given, recall = gold entities found / gold entities, F1 of the two; over questions their means, the share with
recall >= 0.8 and the share with F1 >= 0.5. Recall-5, min(5, found) / min(5, gold), is ALCE's. Ours differ in two
points: names are compared in our normal form, where punctuation is a space and Latin letters carry no accents; and an
empty list scores 0 where the published script would divide by zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from agents.normal_form import normalise, split_answer, without_accents
from evals.items import Nugget
from evals.scoring.scored import Scored, f1
from evals.statistics import interval

TOP = 5
RECALL_BAR, F1_BAR = 0.8, 0.5
_CITATION = re.compile(r"\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]")
# Also Markdown's marks of emphasis.
_BULLET = re.compile(r"^\s*(?:[-*\N{BULLET}]|\(?\d{1,3}[.)])\s+|[*`]{1,3}", re.MULTILINE)


class EntityScore(Scored, frozen=True):
    """Of one question. `missed` and `surplus`: gold names not given, and given names that are not gold."""

    precision: float
    recall: float
    f1: float
    recall_top5: float
    missed: tuple[str, ...]
    surplus: tuple[str, ...]


def entity_form(name: str) -> str:
    return normalise(without_accents(name))


def listed(answer: str, *, gold: Sequence[Nugget]) -> list[str]:
    """The distinct entities of an answer in normal form: lines, commas, semicolons and "and" separate them.

    A gold name that holds a separator itself ("Trinidad and Tobago") is not cut where it is given whole.
    """
    lines = re.split(r"[\n;]", without_accents(_BULLET.sub("", _CITATION.sub("", answer))))
    pieces = [piece for line in lines for piece in split_answer(line)]
    whole = {tuple(split_answer(without_accents(name))): entity_form(name) for one in gold for name in _names(one)}
    runs = sorted((run for run in whole if len(run) > 1), key=len, reverse=True)
    return list(dict.fromkeys(_joined(pieces, runs, whole)))


def _joined(pieces: list[str], runs: Sequence[tuple[str, ...]], whole: dict[tuple[str, ...], str]) -> Iterator[str]:
    at = 0
    while at < len(pieces):
        run = next((run for run in runs if tuple(pieces[at : at + len(run)]) == run), None)
        yield whole[run] if run else pieces[at]
        at += len(run) if run else 1


def entity_score(given: Sequence[str], *, gold: Sequence[Nugget]) -> EntityScore | None:
    """None without gold entities. A given name finds one gold entity at most; two names of one find it once."""
    if not gold:
        return None
    names = list(dict.fromkeys(filter(None, map(entity_form, given))))
    forms = [{entity_form(name) for name in _names(one)} for one in gold]
    found, surplus = _found(names, forms)
    precision, recall = len(found) / len(names) if names else 0.0, len(found) / len(gold)
    return EntityScore(
        judge="rule:entities",
        precision=precision,
        recall=recall,
        f1=f1(precision, recall),
        recall_top5=min(TOP, len(found)) / min(TOP, len(gold)),
        missed=tuple(one.text for number, one in enumerate(gold) if number not in found),
        surplus=tuple(surplus),
    )


def _found(names: Sequence[str], forms: Sequence[set[str]]) -> tuple[set[int], list[str]]:
    """(numbers of the gold entities found, names that are none of them)"""
    owners = {name: [number for number, aliases in enumerate(forms) if name in aliases] for name in names}
    found: set[int] = set()
    # Where gold entities share an alias, the names that can mean one of them alone come first.
    for name in sorted(names, key=lambda name: len(owners[name])):
        found.update([number for number in owners[name] if number not in found][:1])
    surplus = [name for name in names if not owners[name]]
    return found, surplus


def entity_figures(scores_P: Sequence[EntityScore], *, seed: int = 0) -> dict[str, Any]:
    """Means over questions with their intervals, and the two published shares. Raises: ValueError for none."""
    values = {
        "precision": [score.precision for score in scores_P],
        "recall": [score.recall for score in scores_P],
        "f1": [score.f1 for score in scores_P],
        "recall_top5": [score.recall_top5 for score in scores_P],
        f"recall>={RECALL_BAR}": [float(score.recall >= RECALL_BAR) for score in scores_P],
        f"f1>={F1_BAR}": [float(score.f1 >= F1_BAR) for score in scores_P],
    }
    return {name: interval(column, seed=seed).as_dict() for name, column in values.items()}


def _names(nugget: Nugget) -> tuple[str, ...]:
    return (nugget.text, *nugget.aliases)
