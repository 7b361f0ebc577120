"""A frozen dataset of the store as a source: a few groups in memory, whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rl_backend.rollouts import RolloutLike
from store import queries

if TYPE_CHECKING:
    from store.session import Store


class StoreSource:
    """Opens a session for every reading, so that it may be used from any thread. The caller closes the store.

    left_out: ids of groups that are held back from the training.
    """

    def __init__(self, store: Store, dataset_id: int, *, left_out: Iterable[int] = ()) -> None:
        self._store, self._dataset_id, self._left_out = store, dataset_id, frozenset(left_out)

    def groups(self) -> Iterator[Sequence[RolloutLike]]:
        with self._store.session() as session:
            for group in queries.dataset_groups(session, self._dataset_id, without=self._left_out):
                yield group.rows

    def read(self, rollout_ids: Sequence[int]) -> Sequence[RolloutLike]:
        with self._store.session() as session:
            return queries.dataset_rollouts(session, self._dataset_id, rollout_ids)
