"""Which chunks a generator rollout starts from."""

from __future__ import annotations

import random
from collections.abc import Sequence

from karl.context import id_of
from store.models import Chunk
from store.types import Hit


def draw_seeds(chunks: Sequence[Chunk], *, key: str, count: int) -> list[Hit]:
    """`count` chunks at random, decided by the rollout's key alone."""
    drawn = random.Random(key).sample(list(chunks), min(count, len(chunks)))
    return [Hit(chunk_id=id_of(c), key=c.key, title=c.title, text=c.text, score=0.0, page=c.page) for c in drawn]
