"""Start verl inside this process: platform, process group, worker. What verl prints goes to the log, not to stdout."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import HashStore

from rl_backend import ranks
from rl_backend.config import TrainConfig

logger = logging.getLogger(__name__)

# Sharding layer by layer saves device memory that a CPU does not have; a class name that no layer bears leaves one
# FSDP unit, the whole model, and a fifth of the per-micro-batch hooks of a four-layer policy.
_ONE_UNIT = {"disable": True, "transformer_layer_cls_to_wrap": ["WholeModel"]}
_FP32 = {"param_dtype": "fp32", "reduce_dtype": "fp32", "buffer_dtype": "fp32"}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """verl prints progress to stdout, where `--json` output goes; transformers draws bars."""
    from transformers.utils import logging as transformers_logging

    spoken, bars = io.StringIO(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(spoken), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
        for line in filter(None, spoken.getvalue().splitlines()):
            logger.info("verl: %s", line)


def make_worker(base: Path, *, config: TrainConfig, total_steps: int) -> Any:
    """A ready `TrainingWorker` with the weights of `base`, in fp32, and a fresh optimiser and schedule."""
    with quiet(), _environment():
        _import_verl()
        _start_process_group()
        from verl.workers.engine_workers import TrainingWorker

        worker = TrainingWorker(_worker_config(base, config=config, total_steps=total_steps))
        worker.reset()
    return worker


def tensordict(tensors: dict[str, Tensor], settings: dict[str, Any]) -> Any:
    from verl.utils.tensordict_utils import get_tensordict

    return get_tensordict(tensor_dict=tensors, non_tensor_dict=settings)  # pyright: ignore[reportArgumentType]


def save_weights(worker: Any, folder: Path) -> None:
    """Write verl's own Hugging Face weights straight into `folder`; verl's other files are left out."""
    inner = folder / ".verl"
    _save(worker, inner, contents=["hf_model"])
    if ranks.rank() == 0:
        for file in sorted((inner / "huggingface").glob("*.safetensors*")):
            file.rename(folder / file.name)
        shutil.rmtree(inner)
    ranks.barrier()


def save_state(worker: Any, folder: Path) -> None:
    """verl's shards of weights, optimiser, schedule and random state, one of each per rank."""
    _save(worker, folder, contents=["model", "optimizer", "extra"])


def load_state(worker: Any, folder: Path) -> None:
    with quiet():
        worker.load_checkpoint(str(folder), del_local_after_load=False)


def _save(worker: Any, folder: Path, *, contents: list[str]) -> None:
    worker.engine.checkpoint_manager.checkpoint_save_contents = contents
    with quiet():
        worker.save_checkpoint(str(folder))


def set_weights(worker: Any, weights: dict[str, Tensor]) -> None:
    from verl.utils.fsdp_utils import fsdp2_load_full_state_dict

    module = worker.engine.module
    if module.config.tie_word_embeddings:
        weights = {"lm_head.weight": weights["model.embed_tokens.weight"], **weights}
    fsdp2_load_full_state_dict(module, weights, worker.engine.device_mesh, None)


def _import_verl() -> None:
    """First import of verl in the process; verl calls logging.basicConfig, which is the application's to decide."""
    handlers, level = list(logging.root.handlers), logging.root.level
    try:
        if not torch.cuda.is_available():
            from rl_backend.cpu_platform import use_cpu

            use_cpu()
            import rl_backend.cpu_engine  # noqa: F401 - registers itself with verl
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        # Warns about an API that FSDP itself calls; nothing that a user could mend.
        logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """verl's worker reads its rank from the environment; outside torchrun it is alone. Nothing stays behind."""
    before = dict(os.environ)
    alone = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    os.environ.update({key: value for key, value in alone.items() if key not in before})
    try:
        yield
    finally:
        for key in set(os.environ) - set(before):
            del os.environ[key]
        os.environ.update(before)


def _start_process_group() -> None:
    if dist.is_initialized():
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if int(os.environ["WORLD_SIZE"]) == 1:
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
    else:
        dist.init_process_group(backend)


def _worker_config(base: Path, *, config: TrainConfig, total_steps: int) -> Any:
    from verl.trainer.config import CheckpointConfig
    from verl.workers.config import FSDPEngineConfig, FSDPOptimizerConfig, HFModelConfig, TrainingWorkerConfig

    return TrainingWorkerConfig(
        model_type="language_model",
        model_config=HFModelConfig(
            path=str(base),
            load_tokenizer=False,
            use_remove_padding=False,
            enable_gradient_checkpointing=False,
            override_config={"attn_implementation": "sdpa"},
        ),
        engine_config=FSDPEngineConfig(
            strategy="fsdp2",
            use_torch_compile=False,
            mixed_precision=_FP32,
            reshard_after_forward=False,
            wrap_policy={} if torch.cuda.is_available() else _ONE_UNIT,
            seed=config.seed,
        ),
        optimizer_config=FSDPOptimizerConfig(
            lr=config.lr,
            betas=config.betas,
            weight_decay=config.weight_decay,
            clip_grad=config.grad_clip,
            lr_scheduler_type="cosine",
            lr_warmup_steps_ratio=config.warmup_share,
            min_lr_ratio=config.lr_floor,
            total_training_steps=total_steps,
            # Counting from 1: the first step of a warm-up would otherwise have a learning rate of 0.
            zero_indexed_step=False,
        ),
        checkpoint_config=CheckpointConfig(load_contents=["model", "optimizer", "extra"]),
    )
