"""The first import of verl in a process: it needs our platform and engines, and must leave logging alone."""

from __future__ import annotations

import logging
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
            import rl_backend.value.engine  # noqa: F401 - both register themselves with verl
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        # Warns about an API that FSDP itself calls; nothing that a user could mend.
        logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)
