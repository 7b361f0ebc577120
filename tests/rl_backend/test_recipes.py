"""Every recipe builds verl's configuration for CUDA, and takes a step on a shrunken model of its architecture here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from rl_backend.checkpoint import load_weights, weights_sha256
from rl_backend.config import TrainConfig, load_recipe
from rl_backend.recipe import RECIPES
from rl_backend.source import MemorySource
from rl_backend.train import train
from rl_backend.verl_settings import check_device, worker_config
from tests.rl_backend.test_resume import losses_until
from tests.rl_backend.toy import make_glm_base, random_rollouts

NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))
# On a CPU FSDP sees one unit; here it wraps layer by layer, as on CUDA, so that the classes' names are put to use.
LAYERS = {"qwen": "Qwen3DecoderLayer", "glm": "Glm4MoeDecoderLayer"}


def architecture(name: str) -> str:
    return "glm" if name.startswith("glm") else "qwen"


def on_a_cpu(name: str, *, steps: int = 1) -> TrainConfig:
    """The recipe without what only CUDA has: packing and sequence parallelism (flash-attn), pinned offloading.

    Everything else stays: precision, checkpointing of activations, LoRA, loss, optimiser, gradient scattering.
    """
    config = load_recipe(name)
    tables = {key: value for key, value in config.actor.fsdp_config.items() if key != "offload_policy"}
    tables["wrap_policy"] = {"transformer_layer_cls_to_wrap": [LAYERS[architecture(name)]]}
    cpu = {"remove_padding": False, "sequence_parallel": 1, "threads": 1}
    small = {"max_steps": steps, "batch_rollouts": 8, "micro_batch_tokens": 400, "checkpoint_steps": 1}
    actor = config.actor.model_copy(update={"fsdp_config": tables})
    return config.model_copy(update={**cpu, **small, "actor": actor})


@pytest.fixture(scope="module")
def bases(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"qwen": base, "glm": make_glm_base(tmp_path_factory.mktemp("glm") / "base")}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_verls_configuration_for_cuda(bases: dict[str, Path], name: str):
    config = load_recipe(name)
    check_device(config, cuda=True, flash_attn=True)
    found = worker_config(bases[architecture(name)], config=config, total_steps=100, cuda=True)
    assert (found.engine_config.strategy, found.optimizer_config.lr) == ("fsdp2", config.lr)
    assert found.engine_config.mixed_precision["param_dtype"] == config.precision
    assert found.model_config.use_remove_padding is config.remove_padding


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_takes_a_step_on_a_shrunken_model(bases: dict[str, Path], tmp_path: Path, name: str):
    base = bases[architecture(name)]
    rollouts, config = random_rollouts(base), on_a_cpu(name)
    result = train(MemorySource(rollouts), base=base, out=tmp_path / "out", config=config)
    assert result.steps == 1 and result.metrics["grad_norm"] > 0
    before, after = load_weights(base), load_weights(tmp_path / "out")
    assert set(before) == set(after)
    moved = {weight for weight in before if not torch.equal(before[weight], after[weight])}
    untrained = {weight for weight in before if "e_score_correction_bias" in weight}
    if config.lora_rank > 0:
        untrained = {weight for weight in before if not weight.endswith("_proj.weight")}
    assert moved == set(before) - untrained
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


def test_glms_experts_are_resumed_exactly(bases: dict[str, Path], tmp_path: Path):
    config = on_a_cpu("glm-4.5-air", steps=3)
    base, rollouts = bases["glm"], random_rollouts(bases["glm"])
    whole = losses_until(None, rollouts, base=base, out=tmp_path / "whole", config=config)
    begun = losses_until(2, rollouts, base=base, out=tmp_path / "out", config=config)
    rest = losses_until(None, rollouts, base=base, out=tmp_path / "out", config=config)
    assert min(rest) == 2 and {**begun, **rest} == whole
    assert weights_sha256(tmp_path / "out") == weights_sha256(tmp_path / "whole")


def test_glms_recipe_is_what_its_memory_needs(bases: dict[str, Path]):
    found = worker_config(bases["glm"], config=load_recipe("glm-4.5-air"), total_steps=100, cuda=True)
    engine = found.engine_config
    assert (engine.offload_policy, engine.use_no_sync_for_gradient_accumulation) == (True, False)
    assert (engine.reshard_after_forward, engine.ulysses_sequence_parallel_size) == (True, 8)
    assert found.model_config.enable_gradient_checkpointing
