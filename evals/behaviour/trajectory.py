"""What a rollout did, as the behaviour rules see it: searches, answers proposed on the way, how it ended.

Values only: `evals.behaviour.reading` makes them of a rollout record. Turns and searches count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Certainty(StrEnum):
    """How sure the policy said it was; `OPEN`: neither one nor the other, or it did not say."""

    CONFIDENT = "confident"
    OPEN = "open"
    UNCERTAIN = "uncertain"


class Finish(StrEnum):
    """`TRUNCATED`: a budget ended it; `SILENT`: it ended by itself and gave no answer, or declined to give one."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Search:
    """One search that was carried out. `hits`: chunk ids, in order."""

    turn: int
    query: str
    hits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that the policy proposed, on the way or at the end."""

    turn: int
    text: str
    certainty: Certainty = Certainty.OPEN


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rollout had. None: unknown, or no limit; a rule that asks for a share of it can't fire then.

    context_tokens: prompt and continuation together. steps: turns of the policy; give them where histories are
    compressed, for a compressed history never fills the window: what runs out is the steps.
    """

    context_tokens: int | None = None
    steps: int | None = None

    def share(self, *, tokens: int, turns: int) -> float | None:
        """The greatest share of any limit that is known. A count of 0 was not taken: every turn reads something."""
        used = ((tokens, self.context_tokens), (turns, self.steps))
        return max((have / limit for have, limit in used if have and limit), default=None)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """context_tokens: read and sampled by each turn; peak_tokens: by the largest of them, compressions included;
    proposals: in order, the final answer last where there is one; verifications: searches after the first proposal
    that look for what it says; correct: None where nobody judged.
    """

    question: str
    context_tokens: tuple[int, ...]
    searches: tuple[Search, ...]
    finish: Finish
    answer: str = ""
    certainty: Certainty = Certainty.OPEN
    proposals: tuple[Proposal, ...] = ()
    verifications: int = 0
    unchanged: bool = False
    correct: bool | None = None
    compressions: int = 0
    peak_tokens: int = 0
    limits: Limits = Limits()

    @property
    def turns(self) -> int:
        """Decisions of the policy; compressions are not among them."""
        return len(self.context_tokens)

    @property
    def queries(self) -> tuple[str, ...]:
        return tuple(search.query for search in self.searches)

    @property
    def ends_with_search(self) -> bool:
        return bool(self.searches) and self.searches[-1].turn == self.turns - 1

    def place(self, turn: int) -> float:
        """Where a turn stands, in (0, 1): at its middle, so that no part of a rollout is favoured by rounding."""
        return (turn + 0.5) / self.turns

    def hits_by_turn(self) -> list[tuple[int, ...]]:
        """Chunk ids that each turn's searches brought, in order."""
        found: list[list[int]] = [[] for _ in range(self.turns)]
        for search in self.searches:
            found[search.turn].extend(search.hits)
        return [tuple(hits) for hits in found]
