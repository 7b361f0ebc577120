"""Made-up rollouts for the tests of behaviour, latency and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from store.types import (
    Failure,
    FailureKind,
    Provenance,
    Purpose,
    Role,
    RolloutRecord,
    RolloutStatus,
    StepKind,
    StepRecord,
    ToolCallRecord,
)

PROVENANCE = Provenance("solver", "a" * 64, {}, "tiny", 0)
QUESTION = "Who leads the team that builds Atlas?"


def search(*queries: str, said: str = "", hits: Sequence[int] = (), **changes: Any) -> StepRecord:
    """One turn that searches; `hits` come back for each of its queries."""
    facts: dict[str, Any] = {
        "text": said + "".join(f"<search>{query}</search>" for query in queries),
        "calls": [ToolCallRecord("search", {"query": query}, list(hits)) for query in queries],
        "hits": [hit for _ in queries for hit in hits],
        "prompt_tokens": 10,
        "sampled_tokens": 5,
        "policy_seconds": 0.5,
        "tool_seconds": 0.25,
    }
    return StepRecord(StepKind.SEARCH, query=queries[0], **(facts | changes))


def answer(text: str, *, said: str = "", **changes: Any) -> StepRecord:
    facts: dict[str, Any] = {"prompt_tokens": 10, "sampled_tokens": 5, "policy_seconds": 1.0}
    return StepRecord(StepKind.ANSWER, f"{said}<answer>{text}</answer>", **(facts | changes))


def rollout(*steps: StepRecord, key: str = "r", question: str = QUESTION, **changes: Any) -> RolloutRecord:
    """Finished with the answer of its last step; without one, ended by its budget."""
    answered = bool(steps) and steps[-1].kind is StepKind.ANSWER
    said = steps[-1].text.partition("<answer>")[2].removesuffix("</answer>") if answered else ""
    facts: dict[str, Any] = {
        "role": Role.SOLVER,
        "purpose": Purpose.EVALUATE,
        "status": RolloutStatus.FINISHED if answered else RolloutStatus.UNFINISHED,
        "failure": None if answered else Failure(FailureKind.BUDGET, "no answer"),
        "answer": said,
    }
    return RolloutRecord(key=key, provenance=PROVENANCE, question=question, steps=list(steps), **(facts | changes))
