"""From figures to places on the page: linear and logarithmic scales, with ticks at round figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
WIDE = 8.0  # greatest over least, from which on a logarithmic scale shows more


class Scale(NamedTuple):
    """`low`..`high` of the figures come to `start`..`end` on the page."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(one) for one in (self.low, self.high, value)) if self.log else (*self[:2], value)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high, count=count)


def linear(values: Iterable[float], start: float, end: float, *, zero: bool = False, top: float | None = None) -> Scale:
    """Ends at ticks around all values. `zero`: from 0 on; `top`: no further than this."""
    listed = list(values)
    low, high = min(listed, default=0.0), max(listed, default=1.0)
    low = min(low, 0.0) if zero else low
    if high - low < 1e-9:
        # A single figure gets room around it.
        room = abs(high) * 0.1 or 1.0
        low, high = (low if zero and low == 0.0 else low - room), high + room
    step = _step(high - low, count=5)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high if top is None else min(high, top), start, end)


def spread_out(values: Iterable[float], start: float, end: float) -> Scale:
    """Logarithmic where the values are far apart, and none is 0; else linear from 0 on."""
    listed = list(values)
    if not listed or min(listed) <= 0 or max(listed) / min(listed) < WIDE:
        return linear(listed, start, end, zero=True)
    low, high = 10 ** math.floor(math.log10(min(listed))), 10 ** math.ceil(math.log10(max(listed)))
    return Scale(low, high if high > low else low * 10, start, end, log=True)


def linear_ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """About so many, at multiples of 1, 2, 2.5 or 5 times a power of ten."""
    step = _step(high - low, count=count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; with 2 and 5 between them where there are few."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    between = (1.0, 2.0, 5.0) if last - first <= 2 else (1.0,)
    every = [factor * 10.0**power for power in range(first, last + 1) for factor in between]
    return [tick for tick in every if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def tick_label(value: float) -> str:
    """Short, and without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")


def apart(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Places as close to the wanted ones as it goes with `gap` between any two, in the same order; within low..high
    as long as they fit there. For labels that must not overlap.
    """
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    placed: list[float] = []
    for number in order:
        placed.append(max(wanted[number], low, placed[-1] + gap if placed else low))
    # What went over the end is pushed back, and pushes the ones before it.
    limit = max(high, low + gap * (len(placed) - 1))
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return [place for _, place in sorted(zip(order, placed, strict=True))]


def _step(span: float, *, count: int) -> float:
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))
