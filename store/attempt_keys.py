"""Keys of attempts: `<rollout>/<graph>-<number>`, of a second parallel node `<rollout>/<graph>-2-<number>`, and so on.

Names of graphs hold no dash. The first batch is not numbered: most rollouts have no other.
"""

from __future__ import annotations

from typing import NamedTuple


class AttemptPlace(NamedTuple):
    """Attempts of one batch ran side by side; batches one after the other, counted from 1."""

    batch: int
    number: int


def attempt_key(rollout: str, graph: str, place: AttemptPlace) -> str:
    batch = "" if place.batch == 1 else f"{place.batch}-"
    return f"{rollout}/{graph}-{batch}{place.number}"


def attempt_place(key: str) -> AttemptPlace:
    """Sorts attempts of one rollout as they were asked for; a key of another form is the first of all."""
    numbers = [int(part) for part in key.rpartition("/")[2].split("-")[1:] if part.isdigit()]
    match numbers:
        case [batch, number]:
            return AttemptPlace(batch, number)
        case [number]:
            return AttemptPlace(1, number)
        case _:
            return AttemptPlace(1, 0)
