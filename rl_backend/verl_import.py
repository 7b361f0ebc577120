"""The first import of verl in a process: it needs our platform and engines, and must leave logging alone."""

from __future__ import annotations

import logging
import os
import warnings

import torch


def import_verl() -> None:
    """Before anything else of verl is imported; again is harmless. logging stays the application's own."""
    handlers, level = list(logging.root.handlers), logging.root.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # engines of other backends that are not installed
            if not torch.cuda.is_available():
                from rl_backend.cpu_platform import use_cpu

                use_cpu()
                import rl_backend.cpu_engine
            from verl.utils.checkpoint import fsdp_checkpoint_manager

            import rl_backend.value.engine  # noqa: F401 - both register themselves with verl

            setattr(fsdp_checkpoint_manager, "local_mkdir_safe", _make_folder)  # noqa: B010 - it is not exported
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        # Warns about an API that FSDP itself calls; nothing that a user could mend.
        logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)


def _make_folder(path: str) -> str:
    """verl's own leaves a lock file in the system's temporary folder for every checkpoint."""
    os.makedirs(path, exist_ok=True)
    return path
