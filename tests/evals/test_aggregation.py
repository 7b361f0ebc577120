"""Means by level with their intervals, paired comparisons, max@k, percentiles."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.aggregation import Scored, aggregate, compare, mapped
from evals.distribution import distribution
from evals.statistics import expected_max_at_k, interval, max_at_k_curve, pass_at_k


def test_rollouts_to_splits_to_tasks_to_the_benchmark() -> None:
    found = aggregate(
        [
            Scored("fresh", "a", (1.0, 0.0), "go"),  # 0.5
            Scored("fresh", "b", (1.0,), "go"),  # the split: 0.75
            Scored("fresh", "c", (0.25,), "rust"),  # the task: 0.5, not the mean of its rollouts
            Scored("finance", "d", (1.0, 1.0)),
        ]
    )
    assert found.tasks["fresh"].splits["go"].mean == 0.75
    assert found.tasks["fresh"].score.mean == 0.5
    assert found.score.mean == 0.75
    assert (found.tasks["fresh"].questions, found.tasks["fresh"].generations) == (3, 4)
    assert found.tasks["finance"].score == (1.0, 1.0, 1.0)
    assert found.score.low < 0.75 <= found.score.high


def test_one_task_and_one_split_is_the_plain_interval() -> None:
    scores = {str(n): [float(n % 3 == 0)] for n in range(60)}
    found = aggregate(mapped(scores, task="t"), seed=3).score
    assert found == pytest.approx(interval([own[0] for own in scores.values()], seed=3))


def test_generations_of_a_question_are_no_more_questions() -> None:
    """Ten questions asked eight times each have the interval of ten means: copies narrow nothing."""
    once = {str(n): [float(n % 2)] for n in range(10)}
    often = {question: own * 8 for question, own in once.items()}
    assert aggregate(mapped(often, task="t")).score == aggregate(mapped(once, task="t")).score


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(100):
        rates = rng.uniform(0, 1, size=40)  # mean 0.5
        scores = {str(n): list(rng.binomial(1, rate, size=4).astype(float)) for n, rate in enumerate(rates)}
        found = aggregate(mapped(scores, task="t"), seed=trial).score
        covered += found.low <= 0.5 <= found.high
    assert 88 <= covered <= 100


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no questions"):
        aggregate([])
    with pytest.raises(ValueError, match="t, question a: there twice"):
        aggregate([Scored("t", "a", (1.0,)), Scored("t", "a", (0.0,))])
    with pytest.raises(ValueError, match="t, question a: no score"):
        Scored("t", "a", ())
    with pytest.raises(ValueError, match="no question in common"):
        compare([Scored("t", "a", (1.0,))], [Scored("t", "b", (1.0,))])


def test_a_paired_comparison_cancels_what_is_hard_for_both() -> None:
    ours = mapped({str(n): [0.1 + 0.09 * n] for n in range(10)}, task="t")
    theirs = mapped({str(n): [0.09 * n] for n in range(10)} | {"more": [1.0]}, task="t")
    found = compare(ours, theirs)
    assert found.difference.score == pytest.approx((0.1, 0.1, 0.1))
    assert (found.wins, found.ties, found.losses, found.unpaired) == (10, 0, 0, 1)
    assert aggregate(ours).score.low < aggregate(theirs[:10]).score.high  # unpaired intervals overlap


def test_a_system_against_itself_ties() -> None:
    same = mapped({str(n): [float(n % 2)] for n in range(8)}, task="t")
    found = compare(same, same)
    assert found.difference.score == (0.0, 0.0, 0.0) and found.ties == 8


def test_the_same_scores_in_another_order_tie() -> None:
    found = compare(mapped({"a": [0.1, 0.2, 0.3]}, task="t"), mapped({"a": [0.3, 0.2, 0.1]}, task="t"))
    assert (found.wins, found.ties, found.losses) == (0, 1, 0)


scores_st = st.lists(st.floats(-2, 2), min_size=1, max_size=7)


@given(scores_st, st.data())
def test_max_at_k_is_the_mean_over_all_subsets(scores: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    subsets = [max(subset) for subset in combinations(scores, k)]
    assert expected_max_at_k(scores, k=k) == pytest.approx(sum(subsets) / len(subsets))


@given(st.lists(st.sampled_from((0.0, 1.0)), min_size=1, max_size=12), st.data())
def test_max_at_k_of_right_and_wrong_is_pass_at_k(scores: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    assert expected_max_at_k(scores, k=k) == pytest.approx(
        pass_at_k(int(sum(scores)), samples=len(scores), k=k), abs=1e-12
    )


def test_the_curve_rises_and_says_over_how_many_questions() -> None:
    points = max_at_k_curve({"a": [0.0, 1.0, 0.5, 0.0], "b": [0.2, 0.4]}, ks=(1, 2, 4, 8))
    assert [(point.k, point.questions) for point in points] == [(1, 2), (2, 2), (4, 1)]
    assert points[0].score.mean == pytest.approx((0.375 + 0.3) / 2)
    assert points[2].score.mean == 1.0
    with pytest.raises(ValueError, match="k = 3 with 2 samples"):
        expected_max_at_k([0.0, 1.0], k=3)


def test_percentiles() -> None:
    found = distribution(range(101))
    assert found is not None
    assert (found.p50, found.p90, found.p95, found.p99) == (50, 90, 95, 99)
    assert (found.values, found.mean, found.least, found.most) == (101, 50, 0, 100)
    assert distribution([]) is None
