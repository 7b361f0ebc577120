"""Numeric answers checked against the reference: units, scales and rounding apart, is it the same value?

It stands beside the judge and is honest about its reach: None means that the reference is no numeric answer (yes or no,
prose, a name), never that an answer to it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from evals.scoring.quantities import Quantity, quantities, says_fall, stated_scale
from evals.scoring.scored import Scored

COARSER = Decimal("0.01")  # an answer rounded further than the reference may be this much off, as a share of it
FINER = Decimal("0.05")  # so may one that is more precise than an integer reference: 35.6% for 36%, not 1.4 for 1
_BARE_WORDS = 4  # a reference with at most so many words beside its quantities is bare
_WORD = re.compile(r"(?i)(?!(?:usd|eur|gbp|dollars|percent|thousand|million|billion|trillion)\b)[a-z]{2,}")
_MOST = 12  # quantities of a numeric answer; more are a table
_YES_NO = re.compile(r"\W*(?:yes|no|true|false)\b", re.IGNORECASE)
_ASKS_OTHERWISE = re.compile(
    r"\b(?:which|who|whom|why|where|when)\b|\bwhat\s+(?:drove|caused|are|were|production)\b"
    r"|^\W*(?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|should)\b",
    re.IGNORECASE,
)
_ASKS_QUANTITY = re.compile(
    r"\bhow (?:much|many)\b|\bpercent|%|\bamount\b|\bratio\b|\brates?\b|\bmargin\b|\bturnover\b|\bvalue of\b",
    re.IGNORECASE,
)
_ASKS_PERCENT = re.compile(r"\bwhat\s+(?:percent|%)|\b(?:in|as a) percent|\bpercentage\b", re.IGNORECASE)
_ASKS_CHANGE = re.compile(
    r"\b(?:growth|grew|grow|increase[ds]?|rise|rose|changed?|improve[ds]?|improvement)\b", re.IGNORECASE
)
_FINAL = re.compile(r"(?:^|\n)\W*(?:exact |final )?answer\W*:\s*", re.IGNORECASE)


class NumericScore(Scored, frozen=True):
    """`expected` and `found`: the quantities compared, as read."""

    matched: bool
    expected: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def value(self) -> float:
        return float(self.matched)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the question says of the units of an answer that names none. `change`: it asks by how much something rose,
    or changed in either direction.
    """

    power: int | None
    percent: bool
    change: bool


def numeric_score(answer: str, *, reference: str, question: str = "") -> NumericScore | None:
    """Whether `answer` gives every quantity of the reference; None: the reference is not numeric.

    With one quantity asked for, it has to stand in the first or in the last sentence that gives one of its kind, and
    not as one end of a range or one of several alternatives.
    """
    expected = expected_quantities(reference, question=question)
    if not expected:
        return None
    change = bool(_ASKS_CHANGE.search(question)) and not says_fall(question)
    asked = _Asked(stated_scale(question), bool(_ASKS_PERCENT.search(question)), change)
    final = _FINAL.split(answer)[-1]
    given, power = quantities(final), stated_scale(final)
    found = [replace(one, power=power) if one.power is None and one.kind != "percent" else one for one in given]
    return NumericScore(
        judge="rule:numeric",
        matched=_all_given(expected, found, asked),
        expected=tuple(map(_shown, expected)),
        found=tuple(map(_shown, found)),
    )


def expected_quantities(reference: str, *, question: str = "") -> list[Quantity]:
    """The quantities of the first sentence that has one; empty where the reference is not numeric."""
    every = quantities(reference)
    if not every or _YES_NO.match(reference):
        return []
    words = len(_WORD.findall(reference))
    asked = bool(_ASKS_QUANTITY.search(question)) and not _ASKS_OTHERWISE.search(question)
    if (words > _BARE_WORDS and not asked) or (words and _ASKS_OTHERWISE.search(question)):
        return []
    first = [one for one in every if one.sentence == every[0].sentence]
    return first if len(first) <= _MOST else []


def _all_given(expected: Sequence[Quantity], found: Sequence[Quantity], asked: _Asked) -> bool:
    if len(expected) == 1:
        alike = [one for one in found if _comparable(expected[0], one)]
        ends = {alike[0].sentence, alike[-1].sentence} if alike else set[int]()
        return any(one.sentence in ends and same_quantity(expected[0], one, asked=asked) for one in alike)
    fits = [
        [n for n, one in enumerate(found) if _years_agree(wanted, one) and same_quantity(wanted, one, asked=asked)]
        for wanted in expected
    ]
    return _each_its_own(fits)


def _each_its_own(fits: Sequence[Sequence[int]]) -> bool:
    """Whether every row can have one of its numbers that no other row has: matching by augmenting paths."""
    owner: dict[int, int] = {}

    def settle(row: int, tried: set[int]) -> bool:
        for number in fits[row]:
            if number not in tried:
                tried.add(number)
                if number not in owner or settle(owner[number], tried):
                    owner[number] = row
                    return True
        return False

    return all(settle(row, set()) for row in range(len(fits)))


def _comparable(expected: Quantity, found: Quantity) -> bool:
    """A bare number may mean either kind; money is no percentage, dollars are no euros."""
    kinds = {expected.kind, found.kind}
    currencies = {expected.currency, found.currency} - {""}
    return kinds != {"money", "percent"} and len(currencies) < 2


def _years_agree(expected: Quantity, found: Quantity) -> bool:
    return expected.year is None or found.year is None or expected.year == found.year


def same_quantity(expected: Quantity, found: Quantity, *, asked: _Asked) -> bool:
    if found.hedged or not _comparable(expected, found) or _other_way(expected, found, asked):
        return False
    return any(
        _close(wanted, given, coarse, fine, whole=expected.digits == expected.padded)
        for wanted, coarse in _readings(expected, asked, beside=found, reference=True)
        for given, fine in _readings(found, asked, beside=expected, reference=False)
    )


def _other_way(expected: Quantity, found: Quantity, asked: _Asked) -> bool:
    """That something declined by 5% is no answer of 5% growth."""
    rises = expected.value > 0 and not (expected.falls or expected.either_sign)
    return asked.change and rises and found.sinks


def _readings(one: Quantity, asked: _Asked, *, beside: Quantity, reference: bool) -> list[tuple[Decimal, Decimal]]:
    """(absolute value, unit of its last digit) for everything the quantity may mean beside the other one."""
    # Published references pad: "$8.70" is 8.738 billion rounded to one decimal.
    last = Decimal(1).scaleb(-(one.digits - one.padded if reference else one.digits))
    signs = (1, -1) if one.either_sign or one.falls else (1,)
    return [
        ((one.value * sign).scaleb(power), last.scaleb(power))
        for power in _powers(one, asked, beside=beside, reference=reference)
        for sign in signs
    ]


def _powers(one: Quantity, asked: _Asked, *, beside: Quantity, reference: bool) -> set[int]:
    if one.power is not None:
        return {one.power}
    if one.kind == "percent":
        return {-2}
    if beside.kind == "percent":
        # A share of one, or a percentage whose sign was left out; the reference's own only where the question says so.
        return {0, -2} if not reference or asked.percent else {0}
    if asked.percent and one.kind == "bare":
        return {0, -2}
    if asked.power is not None:
        return {asked.power} if reference else {0, asked.power}
    # "$1577.00" is the reference, the question is not known, the answer says billions: any table scale may be meant.
    return {0, 3, 6, 9} if reference and beside.power is not None else {0}


def _close(wanted: Decimal, given: Decimal, coarse: Decimal, fine: Decimal, *, whole: bool) -> bool:
    """Equal at the coarser of the two precisions, within the share that such rounding may be off."""
    off = abs(wanted - given)
    if off == 0:
        return True
    if fine > coarse:
        return off <= fine / 2 and off <= COARSER * abs(wanted)
    return off <= coarse / 2 and fine < coarse and (not whole or off <= FINER * abs(wanted))


def _shown(one: Quantity) -> str:
    unit = "%" if one.kind == "percent" else f" {one.currency}" if one.currency else ""
    return f"{one.value}{f'e{one.power}' if one.power else ''}{unit}"
