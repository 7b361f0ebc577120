"""`tools`: what a turn may call, and with which settings."""

from __future__ import annotations

from pydantic import Field

from graphs.schema.closed import Closed


class SearchSettings(Closed):
    k: int = Field(default=20, ge=1, le=200, description="hits per query")
    max_chars: int = Field(default=4_000, ge=16, description="a hit's text is cut to this")


class Tools(Closed):
    search: SearchSettings | None = None
