"""pi_ref by the trainer's own frozen weights: computed once, kept in a file, read by place.

The alternative to the engine's recorded log-probs (`reference = "trainer"`), as the authors' released code does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rl_backend.checkpoint import atomic_file
from rl_backend.index import Entry
from rl_backend.rollouts import Example, TrainingSegment


class Reference:
    """Log-probs in nats, float32, of all segments of all entries, laid end to end in the order of the index."""

    def __init__(self, path: Path, entries: Sequence[Entry]) -> None:
        self._starts = np.concatenate([[0], np.cumsum([sum(entry.lengths) for entry in entries])])
        self._values_N: NDArray[np.float32] = np.memmap(path, np.float32, mode="r", shape=(int(self._starts[-1]),))

    def put_into(self, example: Example, position: int) -> Example:
        """The example at `position` of the index with these log-probs in place of the recorded ones."""
        at, segments = int(self._starts[position]), list[TrainingSegment]()
        for segment in example.segments:
            end = at + len(segment.token_ids)
            segments.append(TrainingSegment(segment.token_ids, segment.loss_mask, np.array(self._values_N[at:end])))
            at = end
        return example._replace(segments=tuple(segments))


def write_reference(path: Path, logprobs: Iterator[NDArray[np.float32]]) -> None:
    """One array per segment, in the order of the index. The file appears whole or not at all."""
    with atomic_file(path) as stream:
        for values in logprobs:
            stream.write(values.astype("<f4").tobytes())
