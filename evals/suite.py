"""Turn the rollouts of one policy on held-out questions into the figures of the comparison table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.statistics import interval, pass_at_k
from store.types import RolloutStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """One evaluation rollout. `reward` None: the environment failed; it is left out and counted."""

    reward: float | None
    status: RolloutStatus
    searches: int
    sampled_tokens: int


def figures(
    attempts: Mapping[int, Sequence[Attempt]], *, kinds: Mapping[int, str], threshold: float, k: int
) -> dict[str, Any]:
    """Figures over questions (task id -> attempts), each mean with its interval.

    pass@1 is the share of correct attempts; max@k the unbiased chance that one of k is correct. A question with fewer
    than k scored attempts enters with what it has.
    """
    scored = {task: [a for a in tries if a.reward is not None] for task, tries in attempts.items()}
    scored = {task: tries for task, tries in scored.items() if tries}
    if not scored:
        raise ValueError("no attempt was scored")
    correct = {task: sum((a.reward or 0.0) >= threshold for a in tries) for task, tries in scored.items()}
    pass_at_1 = {task: correct[task] / len(tries) for task, tries in scored.items()}
    at_k = [pass_at_k(correct[task], samples=len(tries), k=min(k, len(tries))) for task, tries in scored.items()]
    every = [attempt for tries in scored.values() for attempt in tries]
    by_kind: dict[str, list[float]] = defaultdict(list)
    for task, rate in pass_at_1.items():
        by_kind[kinds.get(task, "")].append(rate)
    return {
        "pass@1": interval(list(pass_at_1.values())).as_dict(),
        f"max@{k}": interval(at_k).as_dict(),
        "searches": interval([_mean(a.searches for a in tries) for tries in scored.values()]).as_dict(),
        "sampled_tokens": interval([_mean(a.sampled_tokens for a in tries) for tries in scored.values()]).as_dict(),
        "unfinished": round(_mean(a.status is RolloutStatus.UNFINISHED for a in every), 4),
        "failed": sum(len(tries) for tries in attempts.values()) - len(every),
        "questions": len(scored),
        "attempts": len(every),
        "by_kind": {kind: round(_mean(rates), 4) for kind, rates in sorted(by_kind.items()) if kind},
        "per_question": {str(task): round(rate, 4) for task, rate in pass_at_1.items()},
    }


def _mean(values: Any) -> float:
    listed = list(values)
    return float(sum(listed) / len(listed))
