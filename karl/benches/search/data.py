"""Seeded vectors and texts. Clustered vectors resemble embeddings; uniform ones are the worst case of every index.

Clustered: unit rows in groups (the passages of a page), groups around topics of unequal size, most of the variance in
few directions, something in common to all; a query is another row of the same mixture. The constants were fitted to
10,341 MiniLM vectors of annual reports at equal size: cosines of the 1st, 5th, 10th, 20th nearest 0.94, 0.79, 0.75,
0.70 (here 0.91, 0.84, 0.72, 0.68); 39, 71, 85, 96% of the variance in 10, 50, 100, 200 directions (39, 74, 87, 96%);
recall at 20 of a graph with ef 64 0.998 (0.998), of 32 cells of 512 0.992 (0.993).
Texts: words by a shifted Zipf law, queries of words of one text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SYLLABLES = [c + v for c in "bdfgklmnprtvz" for v in "aiou"]
VOCABULARY = 60_000
SHIFT = 30  # of the Zipf law: stop words are left out of an index
BLOCK = 50_000
COMMON, TOPIC, GROUP, OWN = 0.56, 0.6, 0.55, 0.35  # shares of a row
SIBLINGS = 6  # rows of a group
DECAY, TAIL = 0.3, 300.0  # of the spread from axis to axis


class Vectors(NamedTuple):
    """Unit rows, float32."""

    rows_VD: NDArray[np.float32]
    queries_QD: NDArray[np.float32]


def clustered(count: int, *, queries: int, dimensions: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    axes_D = np.arange(1, dimensions + 1, dtype=np.float32)
    spread_D = axes_D**-DECAY * np.exp(-axes_D / TAIL)
    spread_D /= np.linalg.norm(spread_D)
    topics, groups = max(8, int(count**0.5)), max(8, count // SIBLINGS)
    centres = TOPIC * spread_D * rng.standard_normal((topics, dimensions), dtype=np.float32)
    centres[:, -1] += COMMON
    sizes = rng.pareto(1.5, topics) + 0.1
    topic_of = rng.choice(topics, size=groups, p=sizes / sizes.sum())
    middles = GROUP * spread_D * rng.standard_normal((groups, dimensions), dtype=np.float32)
    group_of = rng.integers(groups, size=count + queries)
    rows = np.empty((count + queries, dimensions), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        part, chosen = rows[start : start + BLOCK], group_of[start : start + BLOCK]
        part[:] = OWN * spread_D * rng.standard_normal(part.shape, dtype=np.float32)
        part += middles[chosen] + centres[topic_of[chosen]]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return Vectors(rows[:count], rows[count:])


def uniform(count: int, *, queries: int, dimensions: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count + queries, dimensions), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Vectors(rows[:count], rows[count:])


class Texts(NamedTuple):
    texts: list[str]
    queries: list[str]


def texts(count: int, *, queries: int, words: int, asked: int, seed: int) -> Texts:
    """`words` words a text, `asked` different ones a query."""
    rng = np.random.default_rng(seed)
    weights = 1 / (np.arange(VOCABULARY) + SHIFT)
    drawn = rng.choice(VOCABULARY, size=(count, words), p=weights / weights.sum())
    known = [_word(number) for number in range(VOCABULARY)]
    chosen = [rng.choice(drawn[row], size=asked, replace=False) for row in rng.integers(count, size=queries)]
    return Texts(
        [" ".join([known[number] for number in row]) for row in drawn.tolist()],
        [" ".join([known[number] for number in row.tolist()]) for row in chosen],
    )


def _word(number: int) -> str:
    """Four syllables that no stemmer shortens."""
    parts = []
    for _ in range(4):
        number, rest = divmod(number, len(SYLLABLES))
        parts.append(SYLLABLES[rest])
    return "".join(parts) + "k"
