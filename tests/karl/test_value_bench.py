"""The value model's bench: gains at every pair of temperatures and at the best, by seed; one threshold; kept seeds."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from agents.values import LikelihoodValue
from karl.benches import value_seed, value_votes
from karl.benches.attempts import Attempted
from karl.benches.value import keep_figures, kept_figures, value_report
from karl.benches.value_gains import BEST, CLAIM, Contest, claimed, lowest, vote_figures
from karl.benches.value_pools import share_correct, weighed
from karl.benches.value_seed import PARALLEL, SeedFigures, ValueBench, contests
from karl.benches.value_votes import SHUFFLES, Compared, Drawn
from rl_backend.value.config import load_value_recipe
from store.types import Provenance, Purpose, Role, RolloutRecord, RolloutStatus
from tests.karl.kit import call

SIZES = ValueBench(searches=4, attempts=6)


def contest(guided: float, parallel: float, *rights: tuple[float, float], short: int = 0) -> Contest:
    """`rights`: of each question, how often guided search and how often parallel attempts are right."""
    rows = [Compared((ours,) * 3, 100.0, (theirs,) * 3, 110.0, 4.0, short) for ours, theirs in rights]
    return Contest("trained", guided, parallel, 2, rows)


def of_company(*, guided: dict[float, float], parallel: dict[float, float]) -> list[Contest]:
    return [contest(g, p, *[(ours, theirs)] * 5) for g, ours in guided.items() for p, theirs in parallel.items()]


def seed_figures(found: list[Contest], *, auc: float = 0.9) -> SeedFigures:
    held = {"model": {"auc": auc, "cross_entropy": 0.3}, "base rate": {"cross_entropy": 0.6}}
    return SeedFigures(training={}, held_out=held, serving={}, pass_at_1={}, contests=found, seconds=2.5)


def test_each_side_stands_at_its_own_best_temperature() -> None:
    found = of_company(guided={1.0: 0.6, 0.5: 0.5}, parallel={1.0: 0.4, 0.5: 0.7})
    gains = claimed(vote_figures({0: found}), searches=2)["trained"]
    assert {pair: gain["gain"]["mean"] for pair, gain in gains.items()} == {
        "guided T 1, parallel T 1": 0.2,
        "guided T 1, parallel T 0.5": -0.1,
        "guided T 0.5, parallel T 1": 0.1,
        "guided T 0.5, parallel T 0.5": -0.2,
        BEST: -0.1,
    }
    best = gains[BEST]
    assert (best["guided_temperature"], best["parallel_temperature"]) == (1.0, 0.5)
    assert (best["guided"], best["parallel"]) == (0.6, 0.7)


def test_a_gain_at_the_weaker_temperature_alone_fails_the_target() -> None:
    found = of_company(guided={1.0: 0.6, 0.5: 0.5}, parallel={1.0: 0.4, 0.5: 0.7})
    *_, at_first, at_best = value_report({0: seed_figures(found)}, SIZES)["targets"]
    assert (at_first["value"], at_first["ok"]) == (0.2, True)
    assert (at_best["value"], at_best["ok"]) == (-0.1, False)
    assert BEST in at_best["key"]


def test_a_gain_that_one_seed_does_not_have_fails_the_target() -> None:
    good = [contest(1.0, 1.0, *[(0.9, 0.1)] * 50)]
    worse = [contest(1.0, 1.0, *[(0.4, 0.5)] * 3)]
    gain = vote_figures({4: good, 5: worse})["trained"]["guided T 1, parallel T 1"]["2"]["gains"][str(CLAIM)]
    assert gain["gain"]["low"] > 0.6
    assert (gain["seed 4"], gain["seed 5"], lowest(gain)) == (0.8, -0.1, -0.1)
    report = value_report({4: seed_figures(good), 5: seed_figures(worse)}, SIZES)
    assert [target["ok"] for target in report["targets"]] == [True, True, False, False]
    assert (report["seconds"], report["figures"]["seeds"]) == (5.0, [4, 5])


def test_short_draws_are_counted_over_all_questions() -> None:
    figures = vote_figures({0: [contest(1.0, 1.0, (1.0, 0.0), (1.0, 0.0), short=3)]})["trained"]
    row = figures["guided T 1, parallel T 1"]["2"]
    assert (row["short_draws"], row["draws"]) == (6, 2 * SHUFFLES)
    assert figures[BEST]["2"]["gains"][str(CLAIM)]["short_draws"] == 6


async def test_every_guided_pool_meets_every_parallel_pool() -> None:
    def pool(answer: str, correct: float, count: int) -> list[list[Drawn]]:
        return [[Drawn(answer, correct, 0.5, 10)] * count] * 3

    pools = {(PARALLEL, t): pool("rome", 0.0, SIZES.attempts) for t in (1.0, 0.5)}
    pools |= {("trained", t): pool("oslo", 1.0, SIZES.searches) for t in (1.0, 0.5)}
    found = await contests(pools, SIZES, seed=0)
    assert [one[:4] for one in found] == [
        ("trained", g, p, n) for g in (1.0, 0.5) for p in (1.0, 0.5) for n in SIZES.searches_compared
    ]
    assert {row.guided + row.parallel for one in found for row in one.rows} == {(1.0, 1.0, 1.0, 0.0, 0.0, 0.0)}


def attempted(reward: float | None) -> Attempted:
    record = RolloutRecord(
        key="r",
        role=Role.SOLVER,
        purpose=Purpose.EVALUATE,
        status=RolloutStatus.FINISHED,
        provenance=Provenance("solver", "0", {}, "toy", 0),
        question="Who?",
        answer="Ann",
    )
    return Attempted(record, reward)


async def test_correct_is_what_reaches_the_value_models_threshold() -> None:
    pool = [[attempted(2 / 3), attempted(0.5)], [attempted(1.0), attempted(None)]]
    assert share_correct(pool, threshold=0.6) == pytest.approx(2 / 3, abs=1e-4)
    found = await weighed(pool, value=LikelihoodValue(), threshold=0.6)
    assert [[one.correct for one in group] for group in found] == [[1.0, 0.0], [1.0]]


def test_a_seed_is_kept_for_the_same_commit_sizes_and_weights(tmp_path: Path) -> None:
    path, made_with = tmp_path / "bench" / "value-0.json", {"commit": "abc1234", "sizes": {"temperatures": [1.0, 0.5]}}
    figures = seed_figures([contest(1.0, 0.5, (0.6, 0.4), short=2)])
    assert kept_figures(path, made_with=made_with) is None
    keep_figures(path, figures, made_with=made_with)
    assert kept_figures(path, made_with=made_with) == figures
    for other in ({"commit": "abc1235"}, {"sizes": {"temperatures": [1.0]}}):
        assert kept_figures(path, made_with={**made_with, **other}) is None
    for unknown in (None, "abc1234+"):
        keep_figures(path, figures, made_with={**made_with, "commit": unknown})
        assert kept_figures(path, made_with={**made_with, "commit": unknown}) is None
    path.write_text('{"made_with": {}, "figures": {"votes": {}}}')
    assert kept_figures(path, made_with=made_with) is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_seed_from_rollouts_to_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(value_votes, "SHUFFLES", 3)
    monkeypatch.setattr(value_seed, "load_value_recipe", partial(load_value_recipe, **{"training.epochs": 1}))
    sizes = ["--train-questions", 10, "--questions", 4, "--searches", 4, "--attempts", 6]
    done = call(capsys, "--home", tmp_path, "bench", "value", "--seeds", 1, "--first-seed", 3, *sizes, "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)["figures"]
    assert (figures["seeds"], figures["sizes"]["temperatures"]) == ([3], [1.0, 0.5])
    assert len(figures["votes"]["trained"]) == len(figures["votes"]["likelihood"]) == 5
    assert figures["votes"]["trained"]["guided T 1, parallel T 0.5"]["2"]["questions"] == 4
    assert figures["per_seed"][0]["pass_at_1"].keys() == {
        f"{pool}, T {t}" for pool in ("parallel", "trained", "likelihood") for t in ("1", "0.5")
    }
    assert figures["per_seed"][0]["held_out"]["rollouts"] == 4 * 6
    assert (tmp_path / "bench" / "value-3.json").is_file()
