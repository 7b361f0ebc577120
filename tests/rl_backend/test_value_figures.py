"""Cross-entropy, calibration and order of predictions, against numbers worked out by hand and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rl_backend.value.figures import (
    Calibration,
    auc,
    auc_within,
    brier,
    cross_entropy,
    cross_fitted,
    expected_calibration_error,
    fit_calibration,
    probabilities,
    reliability,
)


def test_cross_entropy_and_brier_by_hand() -> None:
    predicted, correct = np.array([0.8, 0.4]), np.array([1.0, 0.0])
    assert cross_entropy(predicted, correct) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert brier(predicted, correct) == pytest.approx((0.2**2 + 0.4**2) / 2)
    assert cross_entropy(np.array([0.0]), np.array([1.0])) == pytest.approx(-math.log(1e-12))


def test_bins_hold_equally_many_points_and_their_gaps_are_weighted() -> None:
    predicted = np.array([0.1, 0.2, 0.6, 0.7, 0.9])
    table = reliability(predicted, np.array([0.0, 1.0, 0.0, 1.0, 1.0]), bins=2)
    assert [row.points for row in table] == [3, 2]
    assert (table[0].low, table[0].high) == (0.1, 0.6)
    assert table[0].predicted == pytest.approx(0.3)
    assert table[0].correct == pytest.approx(1 / 3)
    # 3/5 * |0.3 - 1/3| + 2/5 * |0.8 - 1|
    assert expected_calibration_error(table) == pytest.approx(0.6 * (1 / 3 - 0.3) + 0.4 * 0.2)
    assert [row.points for row in reliability(predicted, predicted, bins=10)] == [1] * 5


def test_auc_by_hand_with_a_tie() -> None:
    # Pairs (correct, wrong): (0.9, 0.5) above, (0.9, 0.1) above, (0.5, 0.5) equal, (0.5, 0.1) above.
    assert auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(3.5 / 4)
    assert auc(np.array([0.2, 0.4]), np.array([1.0, 1.0])) is None


def test_auc_within_groups_counts_pairs_of_one_group_only() -> None:
    score = np.array([0.9, 0.8, 0.3, 0.2, 0.1, 0.7])
    correct = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    group = np.array([1, 1, 2, 2, 3, 3])
    # Group 1 has no pair; in 2 and 3 the correct one is above. Over all pairs it is above only 4 of 8 times.
    assert auc_within(score, correct, group) == 1.0
    assert auc(score, correct) == pytest.approx(4 / 8)


def test_figures_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    predicted = np.round(draw.random(400), 2)  # ties
    correct = (draw.random(400) < predicted).astype(float)
    assert auc(predicted, correct) == pytest.approx(metrics.roc_auc_score(correct, predicted), abs=1e-12)
    inside = np.clip(predicted, 0.01, 0.99)
    assert cross_entropy(inside, correct) == pytest.approx(metrics.log_loss(correct, inside), abs=1e-12)
    assert brier(predicted, correct) == pytest.approx(metrics.brier_score_loss(correct, predicted), abs=1e-12)


def test_calibration_finds_the_scale_that_made_the_outcomes() -> None:
    draw = np.random.default_rng(1)
    value = draw.normal(0, 3, 20_000)
    correct = (draw.random(20_000) < probabilities(value, scale=0.5, bias=-1.0)).astype(float)
    found = fit_calibration(value, correct)
    assert found.scale == pytest.approx(0.5, abs=0.03)
    assert found.bias == pytest.approx(-1.0, abs=0.05)
    raw = expected_calibration_error(reliability(probabilities(value), correct))
    mended = expected_calibration_error(reliability(probabilities(value, scale=found.scale, bias=found.bias), correct))
    assert mended < 0.02 < raw


def test_cross_fitted_probabilities_do_not_know_their_own_question() -> None:
    draw = np.random.default_rng(2)
    value, group = draw.normal(0, 3, 120), np.repeat(np.arange(30) * 7, 4)
    correct = (draw.random(120) < probabilities(value, scale=0.5)).astype(float)
    found = cross_fitted(value, correct, group)
    own = group == 7
    other_end = cross_fitted(value, np.where(own, 1 - correct, correct), group)
    assert other_end[own].tolist() == found[own].tolist()
    assert np.abs(other_end - found).max() > 1e-3  # all the others learn from it
    fitted = fit_calibration(value, correct)
    seen = probabilities(value, scale=fitted.scale, bias=fitted.bias)
    assert cross_entropy(seen, correct) < cross_entropy(found, correct) < cross_entropy(probabilities(value), correct)
    alone = cross_fitted(value, correct, np.zeros(120))
    assert alone.tolist() == probabilities(value).tolist()


def test_calibration_never_turns_the_order_round_and_is_finite_for_separable_points() -> None:
    value = np.array([-2.0, -1.0, 1.0, 2.0])
    assert fit_calibration(value, np.array([1.0, 1.0, 0.0, 0.0])) == Calibration(1.0, 0.0)
    assert fit_calibration(value, np.ones(4)) == Calibration(1.0, 0.0)
    separable = fit_calibration(value, np.array([0.0, 0.0, 1.0, 1.0]))
    assert 0 < separable.scale < 100


def test_probabilities_do_not_overflow() -> None:
    with np.errstate(over="raise"):
        assert probabilities(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
