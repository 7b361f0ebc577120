"""Numbers as text, bars as characters: what is shown needs no colour to be understood."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tui.reading.figures import Figure

EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(value: float, *, full: float, width: int) -> str:
    """A bar of `value` out of `full` in at most `width` cells, to an eighth of a cell; more than nothing is seen."""
    if value <= 0 or full <= 0 or width <= 0:
        return ""
    eighths = max(1, round(min(value / full, 1.0) * width * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def interval(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.mean:.3f} ({figure.low:.3f}..{figure.high:.3f})"


def number(value: float) -> str:
    """Three significant digits; one for what is nearly nothing."""
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-3 else f"{value:.0e}"


def counted(counts: Mapping[str, int]) -> str:
    """`361 duplicate, 9 invalid`, the most frequent first, those without any left out."""
    ordered = sorted(((name, count) for name, count in counts.items() if count), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in ordered)


def some(number: int, what: str) -> str:
    """`1 error`, `2,000 errors`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def local_time(moment: datetime) -> str:
    """SQLite gives times back without their zone: they are UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone():%Y-%m-%d %H:%M}"
