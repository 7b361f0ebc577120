"""verl's own engine, as CUDA runs it, takes our batches: padded, and packed without padding.

There is no CUDA here, so its two hooks for inputs and outputs run on the CPU in place of ours, and sdpa, which keeps
packed sequences apart by their position ids, stands in for flash-attn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rl_backend import verl_runtime
from rl_backend.batch import pack
from rl_backend.config import TrainConfig
from rl_backend.verl_adapter import Trainer
from rl_backend.verl_import import import_verl
from tests.rl_backend.toy import examples_of, make_glm_base, random_rollouts

CONFIG = TrainConfig(lr=2e-3, batch_rollouts=8, micro_batch_tokens=400, threads=1, log_entropy=True)
SDPA = {"override_config": {"attn_implementation": "sdpa"}}


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> None:
    import_verl()
    from transformers.integrations import flash_attention
    from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead

    from rl_backend.cpu_engine import CpuEngine

    for hook in ("initialize", "prepare_model_inputs", "prepare_model_outputs"):
        monkeypatch.setattr(CpuEngine, hook, getattr(FSDPEngineWithLMHead, hook))
    monkeypatch.setattr(verl_runtime, "check_device", lambda *args, **kwargs: None)
    # verl puts its own function here for packed sequences; this puts the old one back afterwards.
    name = "_flash_attention_forward"
    monkeypatch.setattr(flash_attention, name, getattr(flash_attention, name))


Figures = tuple[list[dict[str, float]], list[np.ndarray]]


def figures(base: Path, config: TrainConfig) -> Figures:
    rollouts = random_rollouts(base)
    batch = pack(examples_of(rollouts, config=config), config=config)
    trainer = Trainer(base, config=config, total_steps=4)
    steps = [trainer.train_step(batch) for _ in range(3)]
    logprobs = trainer.logprobs([segment for rollout in rollouts for segment in rollout.segments])
    trainer.close()
    return steps, logprobs


@pytest.fixture
def ours(request: pytest.FixtureRequest, base: Path, tmp_path: Path) -> tuple[Path, Figures]:
    folder = base if request.param == "qwen" else make_glm_base(tmp_path / "glm")
    return folder, figures(folder, CONFIG)


@pytest.mark.parametrize("ours", ["qwen", "glm"], indirect=True)
@pytest.mark.parametrize("packed", [False, True])
def test_the_stock_engine_gives_the_same_figures(
    ours: tuple[Path, Figures], request: pytest.FixtureRequest, packed: bool
):
    base, (expected, trained) = ours
    request.getfixturevalue("stock")
    config = CONFIG.model_copy(update={"remove_padding": packed, "model": SDPA})
    steps, logprobs = figures(base, config)
    for found, wanted in zip(steps, expected, strict=True):
        for key in ("loss", "grad_norm", "logratio", "entropy"):
            assert found[key] == pytest.approx(wanted[key], rel=1e-4, abs=1e-5), key
    for found, wanted in zip(logprobs, trained, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
