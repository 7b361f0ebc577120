"""What a parser hands back: an action and where in the turn it begins, so that the last one of all can win."""

from __future__ import annotations

from typing import NamedTuple

from prompts.output import Parsed


class Found(NamedTuple):
    start: int
    parsed: Parsed
