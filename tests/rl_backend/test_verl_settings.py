"""verl's own settings pass through a recipe verbatim; what verl does not know, or we spell ourselves, is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rl_backend.config import TrainConfig, load_recipe
from rl_backend.verl_adapter import Trainer
from rl_backend.verl_import import import_verl
from rl_backend.verl_settings import _OURS, _classes, _settings, check_device, worker_config
from store.errors import UsageError


def built(base: Path, *, cuda: bool = True, **settings: Any) -> Any:
    return worker_config(base, config=TrainConfig(**settings), total_steps=100, cuda=cuda)


def test_tables_of_a_recipe_end_in_verls_dataclasses(base: Path, tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "[actor.fsdp_config]\nparam_offload = true\nfsdp_size = 4\n[actor.fsdp_config.qat]\ngroup_size = 32\n"
        '[actor.optim]\nlr_scheduler_type = "constant"\noverride_optimizer_config = { eps = 1e-6 }\n'
        "[model]\nenable_activation_offload = true\n[model.override_config]\nrope_theta = 5000.0\n"
    )
    found = worker_config(base, config=load_recipe(path), total_steps=100, cuda=True)
    assert (found.engine_config.param_offload, found.engine_config.fsdp_size) == (True, 4)
    assert found.engine_config.qat.group_size == 32 and found.engine_config.qat.enable is False
    assert found.optimizer_config.lr_scheduler_type == "constant"
    assert found.optimizer_config.override_optimizer_config == {"eps": 1e-6}
    assert found.model_config.enable_activation_offload
    assert found.model_config.hf_config.rope_theta == 5000.0
    assert found.model_config.override_config["attn_implementation"] == "sdpa"


def test_dotted_overrides_reach_verl(base: Path):
    settings = {"actor.fsdp_config.param_offload": True, "model.override_config.attn_implementation": "eager"}
    found = worker_config(base, config=load_recipe("tiny", **settings), total_steps=10)
    assert found.engine_config.param_offload
    assert found.model_config.hf_config._attn_implementation == "eager"


def test_our_settings_end_in_verls(base: Path):
    found = built(
        base,
        lr=1e-5,
        betas=(0.8, 0.9),
        weight_decay=0.1,
        grad_clip=0.5,
        warmup_share=0.1,
        lr_floor=0.2,
        precision="bf16",
        gradient_checkpointing=True,
        remove_padding=True,
        sequence_parallel=2,
        lora_rank=8,
        lora_alpha=32,
        lora_targets=("q_proj",),
        seed=3,
    )
    optimizer, engine, model = found.optimizer_config, found.engine_config, found.model_config
    assert (optimizer.lr, optimizer.betas, optimizer.weight_decay, optimizer.clip_grad) == (1e-5, (0.8, 0.9), 0.1, 0.5)
    assert (optimizer.lr_warmup_steps_ratio, optimizer.min_lr_ratio, optimizer.total_training_steps) == (0.1, 0.2, 100)
    assert engine.mixed_precision == {"param_dtype": "bf16", "reduce_dtype": "fp32", "buffer_dtype": "fp32"}
    assert (engine.strategy, engine.ulysses_sequence_parallel_size, engine.seed) == ("fsdp2", 2, 3)
    assert (model.use_remove_padding, model.enable_gradient_checkpointing) == (True, True)
    assert (model.lora_rank, model.lora_alpha, model.target_modules) == (8, 32, ["q_proj"])
    assert model.hf_config._attn_implementation == "flash_attention_2"
    assert found.checkpoint_config.save_lora_only


def test_a_cpu_is_one_unit_and_cuda_shards_by_layer(base: Path):
    assert built(base, cuda=True).engine_config.wrap_policy == {}
    assert built(base, cuda=True).engine_config.reshard_after_forward is True
    on_cpu = built(base, cuda=False).engine_config
    assert on_cpu.wrap_policy["transformer_layer_cls_to_wrap"] == ["WholeModel"]
    assert on_cpu.reshard_after_forward is False


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            "[actor.fsdp_config]\nparam_ofload = true",
            "'actor.fsdp_config.param_ofload' of verl's FSDPEngineConfig; did",
        ),
        ("[actor.fsdp_config]\nparam_ofload = true", "did you mean 'param_offload'?"),
        (
            "[actor.fsdp_config]\nparam_offload = 1",
            "'actor.fsdp_config.param_offload': Input should be a valid boolean",
        ),
        ("[actor.fsdp_config]\nfsdp_size = '4'", "'actor.fsdp_config.fsdp_size': Input should be a valid integer"),
        ("[actor.fsdp_config]\nqat = true", "'actor.fsdp_config.qat': this is a table, got True"),
        ("[actor.fsdp_config.qat]\ngroup_sise = 1", "'actor.fsdp_config.qat.group_sise' of verl's QATEngineConfig"),
        ("[actor.optim]\nnum_cycle = 1.0", "did you mean 'num_cycles'?"),
        ("[actor.optim]\nlr = 1e-3", "'actor.optim.lr' is not verl's to set here: set `lr`"),
        ("[actor.optim]\nbetas = [0.9, 0.99]", "set `betas`"),
        ("[actor.fsdp_config]\nmixed_precision = { param_dtype = 'bf16' }", "set `precision`"),
        ("[model]\nenable_gradient_checkpointing = true", "set `gradient_checkpointing`"),
        ("[model]\nlora_ranks = 4", "unknown key 'model.lora_ranks' of verl's HFModelConfig"),
        ("[actor]\nfsdp_confg = {}", "unknown key 'actor.fsdp_confg'; did you mean 'fsdp_config'?"),
        ("sequence_parallel = 2", "needs remove_padding = true"),
    ],
)
def test_a_wrong_table_is_named_with_file_key_and_mend(tmp_path: Path, table: str, said: str):
    path = tmp_path / "mine.toml"
    path.write_text(table)
    with pytest.raises(UsageError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


def test_a_wrong_dotted_override_is_not_blamed_on_the_file():
    with pytest.raises(UsageError, match=r"^override: unknown key 'actor\.optim\.momentun'"):
        load_recipe("tiny", **{"actor.optim.momentun": 0.9})
    with pytest.raises(UsageError, match=r"override: key 'lr\.peak': 'lr' is a single value, not a table"):
        load_recipe("tiny", **{"lr.peak": 0.9})


def test_what_only_verl_can_judge_is_told_with_its_table(base: Path):
    with pytest.raises(UsageError, match=r"verl refuses the settings of \[actor.optim\]"):
        built(base, actor={"optim": {"lr_scheduler_type": "cosin"}})


def test_settings_made_in_python_are_checked_too(base: Path):
    with pytest.raises(UsageError, match="set `lr`"):
        Trainer(base, config=TrainConfig.model_validate({"actor": {"optim": {"lr": 1.0}}}), total_steps=1)


def test_every_key_that_we_call_ours_is_one_of_verls():
    import_verl()
    for table, cls in _classes().items():
        assert set(_OURS[table]) <= set(_settings(cls)), table


def test_what_the_machine_cannot_serve_is_named_with_the_mend(base: Path):
    packed = TrainConfig(remove_padding=True)
    with pytest.raises(UsageError, match=r"remove_padding needs a CUDA device; .* set remove_padding = false"):
        Trainer(base, config=packed, total_steps=1)
    with pytest.raises(UsageError, match=r"needs flash-attn; install it \(pip install flash-attn\)"):
        check_device(packed, cuda=True, flash_attn=False)
    check_device(packed, cuda=True, flash_attn=True)
    offload = TrainConfig.model_validate({"actor": {"fsdp_config": {"offload_policy": True}}})
    check_device(offload, cuda=True, flash_attn=False)
    with pytest.raises(UsageError, match=r"actor\.fsdp_config\.offload_policy: needs a CUDA device"):
        Trainer(base, config=offload, total_steps=1)
