"""What all rooms share: the store they read, the settings of the project, and what the user has picked."""

from __future__ import annotations

from dataclasses import dataclass, field

from karl.control.place import Settings
from store.queries import RolloutFilter
from store.session import Store


@dataclass(frozen=True, slots=True)
class Wish:
    """What another room wants to have started: a run of this corpus, or one like this run."""

    corpus: str = ""
    like: int | None = None


@dataclass
class Desk:
    """run_id: the run that the rooms are about; None: none was picked, so the newest. rollout_id: the trace to open.

    back: the room that wants it opened, where Escape leads from it.
    filter: what another room wants to see in the traces; wish: what it wants to launch. Taken, they are None again.
    unsaved: files whose texts were edited here and are not saved yet.
    """

    store: Store
    settings: Settings
    run_id: int | None = None
    rollout_id: int | None = None
    back: str = ""
    filter: RolloutFilter | None = None
    wish: Wish | None = None
    unsaved: set[str] = field(default_factory=set)

    @property
    def source(self) -> str:
        """The store's URL without its password."""
        return self.store.shown
