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


def duration(seconds: float) -> str:
    """`48 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    minutes, hours, days = whole // 60, whole // 3_600, whole // 86_400
    if not minutes:
        return f"{whole} s"
    if not hours:
        return f"{minutes} min {whole % 60} s"
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {hours % 24} h"


def amount(value: float) -> str:
    """`1,234`, `56.7 k`, `8.9 M`, `1.2 G`: for sums that nobody reads to the last digit."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= limit:
            return f"{value / (1e3 if unit == ' k' else limit):,.1f}{unit}"
    return f"{value:,.0f}"


def cut(text: str, width: int) -> str:
    """At most `width` characters, the last one an ellipsis where more was there."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def counted(counts: Mapping[str, int]) -> str:
    """`361 duplicate, 9 invalid`, the most frequent first, those without any left out."""
    ordered = sorted(((name, count) for name, count in counts.items() if count), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in ordered)


def some(number: int, what: str) -> str:
    """`1 error`, `2,000 errors`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def local_time(moment: datetime, *, form: str = "%Y-%m-%d %H:%M") -> str:
    """SQLite gives times back without their zone: they are UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone():{form}}"
