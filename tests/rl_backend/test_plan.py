"""What a training sees is known beforehand, and no more of it is worked out than is trained on."""

from __future__ import annotations

import pytest

from rl_backend.config import TrainConfig
from rl_backend.index import Entry
from rl_backend.plan import Plan

ENTRIES = [Entry(n, n // 2, "", 1.0, 0.5, (8,), 4) for n in range(8)]


@pytest.mark.timeout(20)
def test_epochs_behind_max_steps_are_never_drawn() -> None:
    plan = Plan(ENTRIES, config=TrainConfig(batch_rollouts=4, epochs=10**9, max_steps=5))
    steps = list(plan.steps())
    assert plan.step_count == 5 and [step.epoch for step in steps] == [0, 0, 1, 1, 2]


def test_max_steps_changes_no_step_before_it() -> None:
    whole = Plan(ENTRIES, config=TrainConfig(batch_rollouts=4, epochs=3))
    short = Plan(ENTRIES, config=TrainConfig(batch_rollouts=4, epochs=3, max_steps=4))
    assert whole.step_count == 6 and list(short.steps()) == list(whole.steps())[:4]
