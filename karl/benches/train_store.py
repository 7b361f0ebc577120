"""Made-up datasets, frozen in a store of their own: what the training bench trains on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.models import Corpus, Task
from store.queries import RolloutLinks, create_run, freeze_dataset, groups, save_rollouts, save_tasks
from store.session import Store
from store.types import Fate, Provenance, Purpose, Role, RolloutRecord, RolloutStatus, SegmentRecord

Logprobs = Callable[[NDArray[np.int32]], NDArray[np.float64]]
WRITTEN_AT_ONCE = 128
REWARDS = (0.0, 0.25, 0.5, 1.0)
PROVENANCE = Provenance("solver", "0" * 64, {"solver": "0" * 64}, "bench", 0)


class Shape(NamedTuple):
    """How a dataset looks. tokens, segments: lowest and highest; a turn is `turn` sampled tokens among `turn_every`.

    skew: above 0 most segments are short, and a few many times as long (half a lognormal of that sigma).
    """

    groups: int
    group_size: int
    tokens: tuple[int, int]
    segments: tuple[int, int] = (1, 1)
    turn: int = 8
    turn_every: int = 24
    vocab: int = 128
    skew: float = 0.0


@contextmanager
def bench_store() -> Iterator[Store]:
    """An SQLite store in a temporary folder."""
    with TemporaryDirectory(prefix="karl-bench-") as folder:
        store = Store.open(f"sqlite:///{Path(folder) / 'bench.db'}")
        try:
            yield store
        finally:
            store.close()


def frozen_dataset(store: Store, shape: Shape, *, name: str, seed: int, logprobs: Logprobs | None = None) -> int:
    """Write and freeze a dataset, a few rollouts in memory at a time; returns its id.

    logprobs: ids to what the engine recorded, in nats; without it every sampled token gets -ln(vocab).
    """
    run_id, tasks = _run_and_tasks(store, shape, name=name)
    records = _rollouts(shape, run_id, tasks, name=name, draw=np.random.default_rng(seed), logprobs=logprobs)
    while part := list(islice(records, WRITTEN_AT_ONCE)):
        with store.session() as session:
            save_rollouts(session, part)
    with store.session() as session:
        found = groups(session, run_id, iteration=1)
        dataset = freeze_dataset(session, run_id, iteration=1, name=name, policy_version=0, groups=found)
        assert dataset.id is not None
        return dataset.id


def _run_and_tasks(store: Store, shape: Shape, *, name: str) -> tuple[int, list[int]]:
    with store.session() as session:
        corpus = Corpus(name=f"{name}-notes", source="bench")
        session.add(corpus)
        session.flush()
        assert corpus.id is not None
        run = create_run(session, name=name, corpus_id=corpus.id, settings={})
        assert run.id is not None
        tasks = [
            Task(
                key=f"{name}/{number}",
                run_id=run.id,
                iteration=1,
                corpus_id=corpus.id,
                question=f"question {number}",
                answer="answer",
                fate=Fate.KEPT,
            )
            for number in range(shape.groups)
        ]
        return run.id, save_tasks(session, tasks)


def _rollouts(
    shape: Shape, run_id: int, tasks: list[int], *, name: str, draw: np.random.Generator, logprobs: Logprobs | None
) -> Iterator[tuple[RolloutRecord, RolloutLinks]]:
    for task in tasks:
        for attempt in range(shape.group_size):
            count = int(draw.integers(shape.segments[0], shape.segments[1] + 1))
            record = RolloutRecord(
                key=f"{name}/{task}/{attempt}",
                role=Role.SOLVER,
                purpose=Purpose.TRAIN,
                status=RolloutStatus.FINISHED,
                provenance=PROVENANCE,
                question="made up",
                segments=[_segment(shape, draw=draw, logprobs=logprobs) for _ in range(count)],
            )
            reward = float(draw.choice(REWARDS))
            yield record, RolloutLinks(run_id=run_id, iteration=1, task_id=task, attempt=attempt, reward=reward)


def _segment(shape: Shape, *, draw: np.random.Generator, logprobs: Logprobs | None) -> SegmentRecord:
    """A prompt, then turns of sampled tokens with what tools said between them."""
    low, high = shape.tokens
    if shape.skew:
        tokens = min(high, int(low * np.exp(shape.skew * abs(draw.normal()))))
    else:
        tokens = int(draw.integers(low, high + 1))
    ids_T = draw.integers(0, shape.vocab, tokens).astype(np.int32)
    mask_T = (np.arange(tokens) % shape.turn_every >= shape.turn_every - shape.turn).astype(np.uint8)
    logp_T = np.full(tokens, -np.log(shape.vocab)) if logprobs is None else logprobs(ids_T)
    return SegmentRecord(ids_T.tolist(), mask_T.tolist(), (logp_T * mask_T).tolist())
