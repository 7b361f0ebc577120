"""Evaluations as plain values: listed, one or several side by side, exported as a report.

Importing it loads nothing heavy: what reads documents imports `evals.report` when it is called, in a thread.
"""

from karl.control.evaluations.export import Form, export_report
from karl.control.evaluations.reading import EvaluationReader
from karl.control.evaluations.values import (
    ClassShare,
    Curve,
    EvaluationLine,
    FailureLine,
    Grid,
    Interval,
    Pair,
    Point,
    Profile,
    ScoreLine,
    Sheet,
    Spot,
    SystemLine,
    Tradeoff,
)

__all__ = [
    "ClassShare",
    "Curve",
    "EvaluationLine",
    "EvaluationReader",
    "FailureLine",
    "Form",
    "Grid",
    "Interval",
    "Pair",
    "Point",
    "Profile",
    "ScoreLine",
    "Sheet",
    "Spot",
    "SystemLine",
    "Tradeoff",
    "export_report",
]
