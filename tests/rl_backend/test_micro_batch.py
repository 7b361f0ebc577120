"""verl works on micro-batches as they were packed, whatever their numbers of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl_backend.batch import PADDING, MicroBatch, Row, pack, padded_tokens
from rl_backend.config import TrainConfig
from rl_backend.micro_batch import closed, opened
from rl_backend.rollouts import TrainingSegment
from rl_backend.verl_adapter import Trainer
from rl_backend.verl_import import import_verl
from tests.rl_backend.toy import examples_of, random_rollouts, random_segment

CONFIG = TrainConfig(lr=2e-3, micro_batch_tokens=400, threads=1)


def test_each_opens_as_it_was_closed():
    import_verl()
    from verl.utils.tensordict_utils import chunk_tensordict

    draw = np.random.default_rng(0)
    rows = [Row(random_segment(draw, tokens=tokens), number, 0.25 * number) for number, tokens in enumerate((9, 7, 30))]
    micro_batches: list[MicroBatch] = [[rows[2]], [rows[0], rows[1]], [PADDING]]
    cut = chunk_tensordict(closed(micro_batches, {"loss_terms": 3}), 3)
    for micro_batch, expected in zip(map(opened, cut), micro_batches, strict=True):
        assert micro_batch["loss_terms"] == 3
        assert micro_batch["rollout"].tolist() == [row.rollout for row in expected]
        assert micro_batch["advantage"].tolist() == [row.advantage for row in expected]
        for place, row in enumerate(expected):
            assert _segment(micro_batch, place) == _lists(row.segment)
            assert micro_batch["position_ids"][place].tolist() == list(range(len(row.segment.token_ids)))


@pytest.mark.parametrize("segment_loss", ["per_segment", "per_rollout"])
def test_no_forward_pass_is_larger_than_the_cap(base: Path, segment_loss: str):
    config = CONFIG.model_copy(update={"segment_loss": segment_loss})
    batch = pack(examples_of(random_rollouts(base), config=config), config=config)
    trainer = Trainer(base, config=config, total_steps=1)
    engine, seen = trainer._worker.engine, list[tuple[int, ...]]()
    inputs = engine.prepare_model_inputs

    def prepare(micro_batch: Any) -> Any:
        found = inputs(micro_batch)
        seen.append(tuple(found[0]["input_ids"].shape))
        return found

    engine.prepare_model_inputs = prepare
    trainer.train_step(batch)
    trainer.close()
    assert [rows for rows, _ in seen] == [len(rows) for rows in batch.micro_batches]
    assert [rows * width for rows, width in seen] == [padded_tokens(rows) for rows in batch.micro_batches]
    assert max(rows * width for rows, width in seen) <= 400 and len({rows for rows, _ in seen}) > 2


def _segment(micro_batch: Any, place: int) -> tuple[list[Any], ...]:
    return tuple(micro_batch[name][place].tolist() for name in ("input_ids", "loss_mask", "ref_logprobs"))


def _lists(segment: TrainingSegment) -> tuple[list[Any], ...]:
    return (segment.token_ids.tolist(), segment.loss_mask.tolist(), segment.logprobs.tolist())
