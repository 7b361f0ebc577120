"""How alike are texts, without an embedder: cosine of IDF-weighted word sets, by an inverted index."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from agents.judges import normalise

# N query texts, M texts -> float32 (N, M) in [0, 1]; the cosine of an embedder does as well.
Similarity = Callable[[Sequence[str], Sequence[str]], np.ndarray]


def word_similarity(queries_N: Sequence[str], texts_M: Sequence[str]) -> np.ndarray:
    """(N, M) float32. Weights are the inverse document frequencies in `texts_M`; unknown words weigh the most."""
    words_M = [frozenset(normalise(text).split()) for text in texts_M]
    frequency = Counter(word for words in words_M for word in words)
    weight: dict[str, float] = defaultdict(lambda: math.log(1 + len(texts_M)))
    weight.update({word: math.log(1 + len(texts_M) / count) for word, count in frequency.items()})
    postings: dict[str, list[int]] = defaultdict(list)
    for index, words in enumerate(words_M):
        for word in words:
            postings[word].append(index)
    norm_M = np.array([_norm(words, weight) for words in words_M], dtype=np.float32)
    scores = np.zeros((len(queries_N), len(texts_M)), dtype=np.float32)
    for row, query in zip(scores, queries_N, strict=True):
        words = frozenset(normalise(query).split())
        for word in words:
            row[postings.get(word, [])] += weight[word] ** 2
        row /= np.maximum(norm_M * _norm(words, weight), 1e-9)
    return scores.clip(0.0, 1.0)


def _norm(words: frozenset[str], weight: dict[str, float]) -> float:
    return math.sqrt(sum(weight[word] ** 2 for word in words))
