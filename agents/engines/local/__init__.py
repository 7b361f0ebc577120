"""The `local` engine: a transformers model with continuous batching of ragged conversations, in the process that opens
it (`agents.engines.process` opens it in others).

`engine` is what others call, `worker` the one thread that owns the model, `rows` who is computed where, `cached_model`
the forward pass over the cache, `jobs` requests on their way.
"""

from __future__ import annotations

from agents.engines.local.engine import LocalEngine
from agents.engines.local.loading import load_model

__all__ = ["LocalEngine", "load_model"]
