"""What tokens cost, by the price table of the working folder: the one that `karl eval` takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from store.errors import UsageError


class Tokens(NamedTuple):
    """Of one model: read in prompts, and sampled."""

    model: str
    read: int
    sampled: int


class Costs(NamedTuple):
    """usd: in the order of what was asked, None: the model has no price. problem: why no price is known, else empty."""

    usd: tuple[float | None, ...]
    problem: str


def costs(spent: Sequence[Tokens], *, folder: Path | None = None) -> Costs:
    """By `prices.toml` in `folder`, or in the working folder; nobody knows what was cached, so nothing is cheaper for
    it. A file that cannot be read is told, and leaves all costs unknown."""
    from evals.prices import prices_in

    try:
        prices = prices_in(folder or Path.cwd()).models
    except UsageError as exc:
        return Costs((None,) * len(spent), str(exc))
    usd = tuple(
        prices[each.model].usd(input=each.read, cached_input=0, output=each.sampled) if each.model in prices else None
        for each in spent
    )
    return Costs(usd, "")
