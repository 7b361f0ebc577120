"""Figures as people read them: shares in percent, intervals in brackets, and a dash for what nobody knows."""

from __future__ import annotations

from evals.report.closed import Estimate

UNKNOWN = "–"  # noqa: RUF001, an en dash is what a table has where there is no figure
SHORT = 12  # digits of a hash


def percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def interval(found: Estimate | None) -> str:
    """In percent."""
    return UNKNOWN if found is None else f"{percent(found.mean)} [{percent(found.low)}, {percent(found.high)}]"


def signed(found: Estimate | None) -> str:
    """A difference, in percentage points."""
    if found is None:
        return UNKNOWN
    mean, low, high = (f"{100 * value:+.1f}" for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def number(value: float | None, digits: int = 3) -> str:
    """So many significant digits, none of them in scientific notation."""
    if value is None:
        return UNKNOWN
    if value == 0 or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):.10f}".rstrip("0").rstrip(".")


def dollars(value: float | None) -> str:
    return UNKNOWN if value is None else f"${number(value)}"


def short(sha256: str) -> str:
    return sha256[:SHORT] or UNKNOWN


def cut(text: str, length: int) -> str:
    """One line, at most so long."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def words(name: str) -> str:
    """Of a key."""
    return name.replace("_", " ")


def listed(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def sentence(text: str) -> str:
    """With its full stop, and only one."""
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."
