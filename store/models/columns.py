"""Kinds of columns that several tables have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field


def now() -> datetime:
    return datetime.now(UTC)


def json_column(**options: Any) -> Any:
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False, **options))


def added(default: Any, kind: Any, server_default: Any) -> Any:
    """A column that came after the first schema: rows of before get `server_default`."""
    return Field(default=default, sa_column=Column(kind, nullable=False, server_default=server_default))


def json_object_column(**options: Any) -> Any:
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False, **options))
