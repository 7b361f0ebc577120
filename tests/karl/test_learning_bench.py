"""The learning bench: kinds are told by wording, figures follow their definitions, arms keep to themselves."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from karl.benches import arms
from karl.benches.arms import ALGORITHMS, BASE, Arm
from karl.benches.learning import LearningOptions, _with_best, rises, run_settings
from karl.benches.learning_figures import Tries, arm_figures, at, by_seed, of_kinds, pair_figures
from karl.benches.learning_kinds import PATTERNS, UNSEEN, kind_of
from karl.reporting import SilentReporter
from karl.run_config import make_config
from karl.tiny.world import KINDS, make_world
from store.errors import CollapseError
from store.types import Algorithm


def tries(correct: int, *, samples: int = 4, kind: str = "home") -> Tries:
    return Tries(kind, samples, correct, searches=2.0, tokens=30.0, unfinished=0.25)


def test_every_question_of_a_company_is_of_its_kind_by_its_wording_alone() -> None:
    world = make_world(3)
    asked = [question for build in KINDS.values() for question in build(world)]
    assert PATTERNS.keys() == KINDS.keys() and len(asked) > 200
    assert [kind_of(question.text) for question in asked] == [question.kind for question in asked]
    assert kind_of("Why?") is None


def test_max_at_k_is_the_unbiased_estimate() -> None:
    found = arm_figures({"0/1": tries(2), "0/2": tries(0)}, samples=4)
    # Of 4 with 2 correct: two drawn are both wrong in 1 of 6 choices.
    assert found["max@k"]["2"]["mean"] == pytest.approx((1 - 1 / 6) / 2, abs=1e-4)
    assert found["pass@1"]["mean"] == 0.25 and found["max@4"]["mean"] == 0.5
    assert list(found["max@k"]) == ["1", "2", "3", "4"] and found["unfinished"]["mean"] == 0.25


def test_pairs_are_over_the_questions_that_both_were_scored_on() -> None:
    ours, theirs = {"0/1": tries(4), "0/2": tries(1)}, {"0/1": tries(2), "0/3": tries(4)}
    expected = {"mean": 0.5, "low": 0.5, "high": 0.5, "by_seed": {"0": 0.5}}
    assert pair_figures(ours, theirs, samples=4)["pass@1"] == expected


def test_a_rise_that_one_seed_does_not_show_is_no_rise() -> None:
    base = {f"{seed}/{n}": Tries("home", 16, 4, 1.0, 1.0, 0.0) for seed in range(3) for n in range(8)}
    options = LearningOptions(samples=16)
    uneven = {key: row._replace(correct=3 if key[0] == "2" else 12) for key, row in base.items()}
    _, worst = (target.as_dict() for target in rises(uneven, base, options))
    assert not worst["ok"] and worst["value"] < 0
    assert by_seed(uneven, base, at(1)) == {"0": 0.5, "1": 0.5, "2": -0.0625}


def test_a_collapsed_arm_is_left_out_and_the_best_temperature_is_named() -> None:
    options = LearningOptions(seeds=(0,), algorithms=(Algorithm.OAPL, Algorithm.GRPO), temperatures=(0.5,))
    low, high = {"0/1": tries(1)}, {"0/1": tries(3)}
    found, chosen = _with_best({"base": low, "base, T 0.5": high, "OAPL 1": high, "OAPL 1, T 0.5": low}, options)
    assert set(found) == {"base", "base at its best temperature", "OAPL 1", "OAPL 1 at its best temperature"}
    assert chosen["base"] == {"best": "base, T 0.5", "pass@1": {"base": 0.25, "base, T 0.5": 0.75}}
    assert chosen["OAPL 1"]["best"] == "OAPL 1" and found["OAPL 1 at its best temperature"] is high


async def test_a_training_that_collapses_ends_its_own_arm_only(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    async def train_arm(context: object, algorithm: Algorithm, **_: object) -> None:
        if algorithm is Algorithm.GRPO:
            raise CollapseError("step 7: gone. The last good checkpoint is /here")
        trained.append(algorithm)

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(arms, "_train_arm", train_arm)
    monkeypatch.setattr(arms, "base_checkpoint", nothing)
    monkeypatch.setattr(arms, "_evaluate_base", nothing)
    collapsed: dict[str, str] = {}
    context: Any = SimpleNamespace(read_graphs=lambda: None, reporter=SilentReporter())
    await arms.arms_flow(ALGORITHMS, iterations=1, collapsed=collapsed)(context)
    assert trained == ["oapl", "sft"] and collapsed == {"grpo": "step 7: gone"}


def test_a_rise_at_some_k_only_is_no_rise() -> None:
    base = {str(n): tries(1) for n in range(8)}
    options = LearningOptions(samples=4)
    sharper = {str(n): tries(4 if n % 2 else 0) for n in range(8)}  # pass@1 doubles, max@4 halves
    assert not rises(sharper, base, options)[0].as_dict()["ok"]
    assert rises({str(n): tries(3) for n in range(8)}, base, options)[0].as_dict()["ok"] is False  # max@4 is 1 for both
    poor = {str(n): Tries("home", 16, 0, 1.0, 1.0, 0.0) for n in range(8)}
    good = {str(n): Tries("home", 16, 8, 1.0, 1.0, 0.0) for n in range(8)}
    assert rises(good, poor, LearningOptions(samples=16))[0].as_dict()["ok"]


def test_unseen_kinds_are_left_out_of_training_and_measured_apart() -> None:
    config = make_config({"corpus": "c", **run_settings(LearningOptions())})
    assert config.leave_out == tuple(PATTERNS[kind] for kind in UNSEEN) and config.train_steps == 75
    answers = {"a": tries(1, kind="home"), "b": tries(1, kind="user_leader")}
    assert of_kinds(answers, UNSEEN) == {"b": answers["b"]}
    assert of_kinds(answers, UNSEEN, other=True) == {"a": answers["a"]}


def test_arms_share_the_first_iteration_and_no_other() -> None:
    found = [Arm(algorithm, n) for algorithm, n in itertools.product(ALGORITHMS, (1, 2, 3))]
    assert {arm.number for arm in found if arm.iteration == 1} == {1}
    later = [arm.number for arm in found if arm.iteration > 1]
    assert len(set(later)) == len(later) == 6
    assert len({arm.name for arm in [BASE, *found]}) == 10 and BASE.name == "base"
