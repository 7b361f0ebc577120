"""How good are probabilities of success? Cross-entropy, calibration, and how well they order. numpy only, float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ReliabilityBin(NamedTuple):
    """Points of like prediction: their mean prediction beside the share that ended correct."""

    low: float
    high: float
    predicted: float
    correct: float
    points: int


def probabilities(value_P: Array, *, scale: float = 1.0, bias: float = 0.0) -> NDArray[np.float64]:
    """sigmoid(scale V + bias), without overflow."""
    return np.exp(-np.logaddexp(0.0, -(scale * value_P.astype(np.float64) + bias)))


def cross_entropy(probability_P: Array, correct_P: Array) -> float:
    """Mean - ln of the probability given to what happened, nats; probabilities are kept off 0 and 1 by 1e-12."""
    kept_P = np.clip(probability_P.astype(np.float64), 1e-12, 1 - 1e-12)
    return float(-np.mean(correct_P * np.log(kept_P) + (1 - correct_P) * np.log1p(-kept_P)))


def brier(probability_P: Array, correct_P: Array) -> float:
    return float(np.mean((probability_P - correct_P) ** 2))


def reliability(probability_P: Array, correct_P: Array, *, bins: int = 10) -> list[ReliabilityBin]:
    """Bins of equal mass: each holds as many points as the next, give or take one; fewer bins for fewer points."""
    order_P = np.argsort(probability_P, kind="stable")
    parts = [part for part in np.array_split(order_P, bins) if len(part)]
    return [_bin(probability_P[part], correct_P[part]) for part in parts]


def expected_calibration_error(table: list[ReliabilityBin]) -> float:
    """Mean gap between prediction and share correct, weighted by the points of each bin."""
    total = sum(row.points for row in table)
    return sum(row.points * abs(row.predicted - row.correct) for row in table) / total


def auc(score_P: Array, correct_P: Array) -> float | None:
    """Probability that a correct one scores above a wrong one, ties counting half; None without both."""
    positives = int(correct_P.sum())
    negatives = len(correct_P) - positives
    if not positives or not negatives:
        return None
    _, inverse_P, count_U = np.unique(score_P, return_inverse=True, return_counts=True)
    last_U = np.cumsum(count_U)
    rank_P = (last_U - (count_U - 1) / 2)[inverse_P]  # mean rank of equals, from 1
    above = float(rank_P[correct_P > 0.5].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def auc_within(score_P: Array, correct_P: Array, group_P: Array) -> float | None:
    """The same over pairs of one group only, all pairs counting alike: what a choice between candidates rests on."""
    above = pairs = 0.0
    for group in np.unique(group_P):
        own_P = group_P == group
        positives = float(correct_P[own_P].sum())
        count = positives * (float(own_P.sum()) - positives)
        found = auc(score_P[own_P], correct_P[own_P])
        if found is not None:
            above, pairs = above + found * count, pairs + count
    return above / pairs if pairs else None


class Calibration(NamedTuple):
    scale: float = 1.0
    bias: float = 0.0


def fit_calibration(value_P: Array, correct_P: Array, *, rounds: int = 50) -> Calibration:
    """Platt's scaling by Newton's method; the identity where there is nothing to fit, or the order would turn round.

    The targets are Platt's own, a little inside 0 and 1, so that the fit is finite for separable points.
    """
    positives, count = float(correct_P.sum()), len(correct_P)
    if not 0 < positives < count:
        return Calibration()
    target_P = np.where(correct_P > 0.5, (positives + 1) / (positives + 2), 1 / (count - positives + 2))
    design_P2 = np.stack([value_P.astype(np.float64), np.ones(count)], axis=1)
    weights = np.array([0.0, 0.0])
    for _ in range(rounds):
        fitted_P = probabilities(design_P2 @ weights)
        gradient = design_P2.T @ (fitted_P - target_P)
        curvature = (design_P2.T * (fitted_P * (1 - fitted_P))) @ design_P2 + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-9:
            break
    scale, bias = float(weights[0]), float(weights[1])
    return Calibration(scale, bias) if np.isfinite(scale + bias) and scale > 0 else Calibration()


def cross_fitted(value_P: Array, correct_P: Array, group_P: Array, *, folds: int = 5) -> NDArray[np.float64]:
    """Probabilities by Platt's scaling, each question's by a fit on the other folds; uncalibrated where there is one.

    What a calibration makes of the points that it was fitted on flatters it.
    """
    _, number_P = np.unique(group_P, return_inverse=True)
    found_P = np.empty(len(value_P))
    for fold in range(folds):
        own_P = number_P % folds == fold
        fitted = fit_calibration(value_P[~own_P], correct_P[~own_P])
        found_P[own_P] = probabilities(value_P[own_P], scale=fitted.scale, bias=fitted.bias)
    return found_P


def _bin(probability_B: Array, correct_B: Array) -> ReliabilityBin:
    return ReliabilityBin(
        low=float(probability_B.min()),
        high=float(probability_B.max()),
        predicted=float(probability_B.mean()),
        correct=float(correct_B.mean()),
        points=len(probability_B),
    )
