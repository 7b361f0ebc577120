"""The `local` engine in a process of its own, so that sampling and the agents do not share one interpreter's lock.

`engine` is what others call, `host` the process as its parent sees it, `messages` what goes over the wire, `serve` what
runs at the other end: an `agents.engines.local.LocalEngine` for each model. Nothing but `serve` needs torch.
"""

from __future__ import annotations

from agents.engines.process.engine import ProcessEngine
from agents.engines.process.messages import ModelSpec

__all__ = ["ModelSpec", "ProcessEngine"]
