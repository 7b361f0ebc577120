"""From labels to scores: the paper's share, half credit, one nugget right or wrong."""

from __future__ import annotations

import pytest

from agents.errors import JudgeError
from agents.judges import RuleJudge
from agents.judging import Label
from evals.scoring.completion import completion, completion_of

S, P, N = "support", "partial_support", "not_support"


@pytest.mark.parametrize(
    ("labels", "strict", "half_credit"),
    [
        ([S, P, N, S], 0.5, 0.625),
        ([P, P], 0.0, 0.5),
        ([S, S, S], 1.0, 1.0),
        ([S], 1.0, 1.0),
        ([P], 0.0, 0.0),
        ([N], 0.0, 0.0),
    ],
)
def test_completion(labels: list[Label], strict: float, half_credit: float) -> None:
    found = completion(labels, judge="m", prompt_sha256="ab")
    assert (found.strict, found.half_credit) == (strict, half_credit)
    assert (found.judge, found.prompt_sha256, found.labels) == ("m", "ab", tuple(labels))


async def test_the_share_of_nuggets_whatever_reward_the_judge_gives() -> None:
    score = await RuleJudge().score("Ada, Bo, Cy, Dee", question="q?", nuggets=["Ada", "Eve"])
    found = completion_of(score)
    assert score.value == 0.25 and found.strict == 0.5 and found.judge == "rule"


def test_no_labels_are_an_error() -> None:
    with pytest.raises(JudgeError, match="no nuggets"):
        completion([], judge="m")
