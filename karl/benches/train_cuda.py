"""How much of a GPU training uses: half a billion random parameters in bfloat16, verl and the bare loop in turns."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TURNS = 8
# Weights, gradients and Adam's moments of two trainers, and verl's logits of a micro-batch.
NEEDED_GIB = 40
LENGTH, ROWS, MICRO_ROWS = 2048, 16, 4


def cuda_utilisation(*, seed: int) -> dict[str, Any]:
    """`skipped` says why there are no figures."""
    from rl_backend.utilisation import cuda_device

    found = cuda_device()
    if found is None:
        return {"skipped": "no CUDA device"}
    name, memory_gib = found
    if memory_gib < NEEDED_GIB:
        return {"skipped": f"{name} has {memory_gib:.0f} GiB; {NEEDED_GIB} are needed"}
    return {"device": name, **_measured(seed=seed)}


def _measured(*, seed: int) -> dict[str, Any]:
    from rl_backend.bare import BareTrainer
    from rl_backend.config import TrainConfig
    from rl_backend.random_model import HALF_BILLION, write_random_model
    from rl_backend.utilisation import batch_of, utilisation
    from rl_backend.verl_adapter import Trainer

    config = TrainConfig(lr=1e-6, precision="bf16", micro_batch_tokens=LENGTH * MICRO_ROWS)
    batch = batch_of(HALF_BILLION, rows=ROWS, length=LENGTH, micro_rows=MICRO_ROWS, seed=seed)
    with TemporaryDirectory(prefix="karl-bench-") as folder:
        base = Path(folder) / "base"
        parameters = write_random_model(base, HALF_BILLION, seed=seed)
        bare = BareTrainer(base, config=config, total_steps=100, device="cuda", bf16=True)
        with closing(Trainer(base, config=config, total_steps=100)) as ours:
            trainers = {"verl": ours.train_step, "bare_selective": bare.train_step}
            found = utilisation(trainers, batch, HALF_BILLION, device="cuda", turns=TURNS)
    return {"parameters": parameters, **found}
