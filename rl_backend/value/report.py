"""The figures of a value model on some turns, beside two baselines: the base rate, and the policy's own likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl_backend.value.figures import (
    auc,
    auc_within,
    brier,
    cross_entropy,
    expected_calibration_error,
    probabilities,
    reliability,
)
from rl_backend.value.points import ValuePoints

QUARTILES = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
TURNS = 4  # turns named one by one; the last one stands for all behind it as well


def value_report(
    points: ValuePoints, *, calibrated_P: NDArray[np.float64] | None = None, base_rate: float | None = None
) -> dict[str, Any]:
    """JSON-ready. Points are turns' ends; `token_cross_entropy` is over all of the policy's tokens, as trained.

    calibrated_P: the model's probabilities by a calibration that was not fitted on these points; None: uncalibrated.
    base_rate: of the training data; None takes that of the points themselves, which favours the baseline.
    """
    correct_P = points.correct_P
    rate = float(correct_P.mean()) if base_rate is None else base_rate
    raw_P = probabilities(points.value_P)
    model_P = raw_P if calibrated_P is None else calibrated_P
    return {
        "turns": len(points),
        "rollouts": len(np.unique(points.rollout_P)),
        "questions": len(np.unique(points.group_P)),
        "share_correct": float(correct_P.mean()),
        "token_cross_entropy": float(points.token_loss_P.sum() / points.token_count_P.sum()),
        "model": _figures(model_P, points) | _order(points.value_P, points),
        "uncalibrated": _figures(raw_P, points),
        "likelihood": _figures(points.likelihood_P, points) | _order(points.likelihood_P, points),
        "base rate": _figures(np.full(len(points), rate), points),
        "reliability": [row._asdict() for row in reliability(model_P, correct_P)],
        "auc_by_depth": {
            f"{low:g}-{high:g}": _auc(points.only((points.depth_P > low) & (points.depth_P <= high)))
            for low, high in QUARTILES
        },
        "auc_by_turn": {
            f"{turn}" if turn < TURNS else f"{turn}+": _auc(
                points.only(points.turn_P == turn if turn < TURNS else points.turn_P >= turn)
            )
            for turn in range(1, TURNS + 1)
        },
    }


def _figures(probability_P: NDArray[np.float64], points: ValuePoints) -> dict[str, float | None]:
    return {
        "cross_entropy": cross_entropy(probability_P, points.correct_P),
        "brier": brier(probability_P, points.correct_P),
        "ece": expected_calibration_error(reliability(probability_P, points.correct_P)),
    }


def _order(score_P: NDArray[np.float64], points: ValuePoints) -> dict[str, float | None]:
    return {
        "auc": auc(score_P, points.correct_P),
        "auc_within_question": auc_within(score_P, points.correct_P, points.group_P),
    }


def _auc(points: ValuePoints) -> dict[str, float | int | None]:
    return {
        "turns": len(points),
        "model": auc(points.value_P, points.correct_P),
        "likelihood": auc(points.likelihood_P, points.correct_P),
        "model_within_question": auc_within(points.value_P, points.correct_P, points.group_P),
        "likelihood_within_question": auc_within(points.likelihood_P, points.correct_P, points.group_P),
    }
