"""Start verl inside this process: platform, process group, worker. What verl prints goes to the log, not to stdout."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from rl_backend import ranks
from rl_backend.config import TrainConfig
from rl_backend.lora import ADAPTER, check_adapters, naming_targets, save_lora
from rl_backend.micro_batch import opening
from rl_backend.verl_import import import_verl
from rl_backend.verl_settings import check_device, worker_config

logger = logging.getLogger(__name__)
ModelType = Literal["language_model", "value_model"]  # verl's names


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


def make_worker(base: Path, *, config: TrainConfig, total_steps: int, model_type: ModelType = "language_model") -> Any:
    """A ready `TrainingWorker` with the weights of `base` and a fresh optimiser and schedule.

    Raises UsageError for settings that verl or this machine refuses.
    """
    check_device(config, cuda=torch.cuda.is_available(), flash_attn=find_spec("flash_attn") is not None)
    with quiet(), _environment():
        import_verl()
        ranks.join()
        from verl.workers.engine_workers import TrainingWorker

        settings = worker_config(base, config=config, total_steps=total_steps, model_type=model_type)
        worker: Any = TrainingWorker(settings)
        with naming_targets(config):
            worker.reset()
        check_adapters(worker.engine.module)
    # Of whatever engine verl chose for the device: each gets its micro-batches through this one method.
    worker.engine.forward_step = opening(worker.engine.forward_step)
    return worker


def save_weights(worker: Any, folder: Path) -> None:
    """Write Hugging Face weights straight into `folder`, LoRA merged; other files of verl and peft are left out."""
    inner = folder / ".verl"
    if worker.model_config.lora_rank > 0:
        with quiet():
            save_lora(worker.engine.module, inner / "huggingface")
    else:
        _save(worker, inner, contents=["hf_model"])
    if ranks.rank() == 0:
        for file in sorted((inner / "huggingface").glob("*.safetensors*")):
            file.rename(folder / file.name)
        if (inner / "huggingface" / ADAPTER).is_dir():
            (inner / "huggingface" / ADAPTER).rename(folder / ADAPTER)
        shutil.rmtree(inner)
    ranks.barrier()


def save_state(worker: Any, folder: Path) -> None:
    """verl's shards of weights, optimiser, schedule and random state, one of each per rank."""
    _save(worker, folder, contents=["model", "optimizer", "extra"])


def load_state(worker: Any, folder: Path) -> None:
    with quiet():
        worker.load_checkpoint(str(folder), del_local_after_load=False)


def weights_dtype(worker: Any) -> str:
    """What the weights are kept and saved in, by torch's name: `float32` unless a recipe's tables say otherwise."""
    return str(next(worker.engine.module.parameters()).dtype).removeprefix("torch.")


def _save(worker: Any, folder: Path, *, contents: list[str]) -> None:
    worker.engine.checkpoint_manager.checkpoint_save_contents = contents
    with quiet():
        worker.save_checkpoint(str(folder))


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
