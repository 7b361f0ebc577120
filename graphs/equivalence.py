"""Which of N answers to one question are the same? Clusters by canonical form, and by a judge where one is given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from agents.judges import Judge, canonical
from graphs.nodes.base import gather_all

_CACHED_PAIRS = 20_000  # a vote of 20 attempts asks at most 190


class AnswerClusters:
    """Sorts answers into clusters. With a judge, what differs in canonical form is put to it, pair by pair.

    Its verdicts are kept, so that a pair that comes again is not asked again. Equivalence is taken as transitive:
    if a judge holds a = b and b = c, then the three are one cluster whatever it says on a and c.
    """

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge
        self._verdicts: dict[tuple[str, frozenset[frozenset[str]]], bool] = {}

    async def sort(self, answers_N: Sequence[str], *, question: str) -> list[list[int]]:
        """Indices of equal answers, the clusters in the order of their first members. Raises: JudgeError."""
        forms_N = [canonical(answer) for answer in answers_N]
        first_of: dict[frozenset[str], int] = {}
        for index, form in enumerate(forms_N):
            first_of.setdefault(form, index)
        leader = {index: index for index in first_of.values()}
        for one, other in await self._equal_pairs(answers_N, list(leader), question=question):
            _join(leader, one, other)
        clusters: dict[int, list[int]] = {}
        for index, form in enumerate(forms_N):
            clusters.setdefault(_root(leader, first_of[form]), []).append(index)
        return sorted(clusters.values())

    async def _equal_pairs(
        self, answers_N: Sequence[str], distinct: Sequence[int], *, question: str
    ) -> list[tuple[int, int]]:
        """Pairs of answers, different in canonical form, that the judge holds to be the same."""
        judge = self._judge
        if judge is None:
            return []
        pairs = list(combinations(distinct, 2))
        same = await gather_all(
            [self._same(judge, answers_N[one], answers_N[other], question=question) for one, other in pairs]
        )
        return [pair for pair, equal in zip(pairs, same, strict=True) if equal]

    async def _same(self, judge: Judge, first: str, second: str, *, question: str) -> bool:
        key = (question, frozenset((canonical(first), canonical(second))))
        if key not in self._verdicts:
            verdict = await judge.equivalent(first, second, question=question)
            if len(self._verdicts) >= _CACHED_PAIRS:
                self._verdicts.pop(next(iter(self._verdicts)))
            self._verdicts[key] = verdict.equivalent
        return self._verdicts[key]


def _root(leader: dict[int, int], index: int) -> int:
    while leader[index] != index:
        index = leader[index]
    return index


def _join(leader: dict[int, int], one: int, other: int) -> None:
    first, second = sorted((_root(leader, one), _root(leader, other)))
    leader[second] = first
