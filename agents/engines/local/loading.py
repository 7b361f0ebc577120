"""A model folder -> the model in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from store.errors import UsageError
from store.value_record import VALUE_FILE


def load_model(path: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load a causal language model folder (or hub name). Raises UsageError when it is missing or unreadable."""
    if (Path(path) / VALUE_FILE).is_file():
        # transformers would load it, with a head of random numbers.
        raise UsageError(f"{path}: a value model, which samples no text; give the folder of a policy")
    try:
        with no_bars():
            model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, local_files_only=Path(path).exists())
    except Exception as exc:
        raise UsageError(f"{path}: no readable model folder ({type(exc).__name__}: {exc})") from exc
    model.eval()
    return model.to(torch.device(device))  # pyright: ignore[reportArgumentType]


@contextmanager
def no_bars() -> Iterator[None]:
    """Progress is drawn by whoever owns the screen, which a library does not."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
