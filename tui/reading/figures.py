"""Values that several rooms show."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A mean with its 95% interval."""

    mean: float
    low: float
    high: float
