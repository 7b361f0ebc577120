"""Which chunks a generator rollout starts from."""

from __future__ import annotations

import random
from collections.abc import Sequence

from karl.context import Context, id_of
from store.models import Chunk
from store.types import Hit


def draw_seeds(context: Context, chunks: Sequence[Chunk], *, part: str) -> list[Hit]:
    """`seed_chunks` chunks at random, decided by the run's seed and the rollout's place (`part`) in it."""
    count = min(context.config.seed_chunks, len(chunks))
    drawn = random.Random(f"{context.config.seed}:{part}").sample(list(chunks), count)
    return [Hit(chunk_id=id_of(c), key=c.key, title=c.title, text=c.text, score=0.0, page=c.page) for c in drawn]
