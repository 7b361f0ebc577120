"""Moments of the store: SQLite gives them back without their zone, and they are UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def seconds_since(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - utc(moment)).total_seconds())
