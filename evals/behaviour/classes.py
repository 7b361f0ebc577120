"""The six classes of search behaviour, by rules in the order of their priority; the first that fits names the class.

The rules leave gaps, which `UNCLASSIFIED` holds: an answer after eight or more searches, or on over 40% of the context,
that was neither proposed early and verified nor led up to by two queries in the first third (which a rollout of fewer
than five turns has no room for, one search a turn); an ending without an answer that no budget forced, before the tenth
search; a rollout whose limits are not known. They do not ask whether who gave up early was right: read each class with
the share of it that is solved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from evals.behaviour.features import Features, features_of
from evals.behaviour.trajectory import Certainty, Finish, Trajectory


class BehaviourClass(StrEnum):
    """In the order of priority."""

    RUNNING_OUT_OF_CONTEXT = "running_out_of_context"
    EXHAUSTIVE_SEARCH = "exhaustive_search"
    GIVING_UP_EARLY = "giving_up_early"
    CONFIDENTLY_WRONG_EARLY = "confidently_wrong_early"
    EXPLORE_THEN_VERIFY = "explore_then_verify"
    EXPLORE_THEN_COMMIT = "explore_then_commit"
    UNCLASSIFIED = "unclassified"


class Rules(BaseModel, frozen=True, extra="forbid"):
    """The figures of the rules, as the paper's classes have them: for long searches, of tens of steps."""

    context_nearly_used: float = Field(default=0.85, description="still searching above it: running out of context")
    exhaustive_searches: int = Field(default=10, ge=1, description="from so many on, without convergence: exhaustive")
    early_context: float = Field(default=0.40, description="giving up early: below it")
    early_searches: int = Field(default=8, ge=1, description="giving up early: fewer")
    early_half: float = Field(default=0.5, description="confidently wrong early: the answer stood before it")
    before_verifying: float = Field(default=0.7, description="explore then verify: the first answer stood before it")
    verifications: int = Field(
        default=2, ge=1, description="explore then verify: so many searches after the first answer"
    )
    distinct_queries: int = Field(default=2, ge=1, description="explore then commit: so many in the first third")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`reason`: the rule that fired, with the figures that it read; of the rest class, what kept the last rule off."""

    kind: BehaviourClass
    reason: str
    features: Features

    def as_dict(self) -> dict[str, Any]:
        return {"class": str(self.kind), "reason": self.reason, "features": asdict(self.features)}


def classify(trajectory: Trajectory, *, rules: Rules | None = None) -> Behaviour:
    rules, features = rules or Rules(), features_of(trajectory)
    for kind, rule in _BY_PRIORITY.items():
        if reason := rule(features, rules):
            return Behaviour(kind, reason, features)
    return Behaviour(BehaviourClass.UNCLASSIFIED, _rest(features), features)


def _running_out(seen: Features, rules: Rules) -> str | None:
    if seen.finish is Finish.TRUNCATED:
        return "a budget ended it before it answered"
    if seen.used_at_last_search is not None and seen.used_at_last_search > rules.context_nearly_used:
        return f"{seen.used_at_last_search:.0%} of the context used, and still searching"
    return None


def _exhaustive(seen: Features, rules: Rules) -> str | None:
    if seen.searches < rules.exhaustive_searches:
        return None
    if seen.finish is not Finish.ANSWERED:
        return f"{seen.searches} searches and no answer"
    return f"{seen.searches} searches and an uncertain answer" if seen.certainty is Certainty.UNCERTAIN else None


def _giving_up(seen: Features, rules: Rules) -> str | None:
    few = seen.searches < rules.early_searches and not seen.ends_with_search
    if seen.used is not None and seen.used < rules.early_context and few:
        return f"ended on {seen.used:.0%} of the context after {seen.searches} searches"
    return None


def _confidently_wrong(seen: Features, rules: Rules) -> str | None:
    early = seen.first_answer_at is not None and seen.first_answer_at < rules.early_half
    if early and seen.first_certainty is Certainty.CONFIDENT and seen.unchanged and seen.correct is False:
        return f"a wrong answer at {seen.first_answer_at:.0%} of the steps, with confidence, and it stayed"
    return None


def _verified(seen: Features, rules: Rules) -> str | None:
    early = seen.first_answer_at is not None and seen.first_answer_at < rules.before_verifying
    if early and seen.verifications >= rules.verifications:
        return f"first answer at {seen.first_answer_at:.0%} of the steps, then {seen.verifications} verifying searches"
    return None


def _committed(seen: Features, rules: Rules) -> str | None:
    if seen.finish is Finish.ANSWERED and seen.early_queries >= rules.distinct_queries:
        return f"{seen.early_queries} distinct queries in the first third, then an answer"
    return None


def _rest(seen: Features) -> str:
    used = "an unknown share" if seen.used is None else f"{seen.used:.0%}"
    ending = "an answer" if seen.finish is Finish.ANSWERED else "no answer"
    return (
        f"no rule fits {ending} after {seen.searches} searches on {used} of the context, "
        f"with distinct queries in the first third: {seen.early_queries}"
    )


_BY_PRIORITY: dict[BehaviourClass, Callable[[Features, Rules], str | None]] = {
    BehaviourClass.RUNNING_OUT_OF_CONTEXT: _running_out,
    BehaviourClass.EXHAUSTIVE_SEARCH: _exhaustive,
    BehaviourClass.GIVING_UP_EARLY: _giving_up,
    BehaviourClass.CONFIDENTLY_WRONG_EARLY: _confidently_wrong,
    BehaviourClass.EXPLORE_THEN_VERIFY: _verified,
    BehaviourClass.EXPLORE_THEN_COMMIT: _committed,
}
