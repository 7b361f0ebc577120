"""A program for torchrun: trains every way after another in one process group, and writes the losses as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rl_backend import ranks
from rl_backend.config import TrainConfig
from rl_backend.hooks import Hooks
from rl_backend.source import MemorySource
from rl_backend.train import train
from tests.rl_backend.toy import random_rollouts

CONFIG = TrainConfig(lr=2e-3, epochs=5, batch_rollouts=8, micro_batch_tokens=400, threads=1)
WAYS = {
    "per_segment": CONFIG,
    "per_rollout": CONFIG.model_copy(update={"segment_loss": "per_rollout"}),
    "sft": CONFIG.model_copy(update={"algorithm": "sft"}),
    "grpo": CONFIG.model_copy(update={"algorithm": "grpo"}),
    "reference_of_the_trainer": CONFIG.model_copy(update={"reference": "trainer"}),
    "lora": CONFIG.model_copy(update={"lora_rank": 4, "gradient_checkpointing": True}),
}


def losses(base: Path, out: Path, config: TrainConfig) -> list[float]:
    """Of every step, in order."""
    seen: list[float] = []
    hooks = Hooks(on_step=lambda step, steps, figures: seen.append(figures["loss"]))
    train(MemorySource(random_rollouts(base)), base=base, out=out, config=config, hooks=hooks)
    return seen


def main(base: Path, folder: Path) -> None:
    found = {way: losses(base, folder / way, config) for way, config in WAYS.items()}
    if ranks.rank() == 0:
        (folder / "losses.json").write_text(json.dumps(found))
    ranks.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
