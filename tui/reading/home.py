"""What the first room shows, read from the store in one go: frozen values, no rows, no widgets."""

from __future__ import annotations

from dataclasses import dataclass

from store import queries
from store.queries import RunOverview
from store.session import Store


@dataclass(frozen=True, slots=True)
class HomeView:
    """runs: the newest first."""

    runs: list[RunOverview]


def read_home(store: Store) -> HomeView:
    """Raises: KarlError when the database refuses."""
    with store.session() as session:
        return HomeView(runs=queries.run_overviews(session))
