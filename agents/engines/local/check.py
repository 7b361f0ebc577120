"""Before it serves a model, the local engine proves on a few tokens that it computes what the plain model does.

Architectures differ in what stands between hidden states and log-probs (soft-capping, scaling) and in what a token may
attend to (sliding windows). A wrong log-prob would poison the training data, so such models are refused.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import PretrainedConfig, PreTrainedModel

from store.errors import UsageError

PROBE_TOKENS = 8
# Mean absolute difference over the vocabulary, in nats; bf16 and fp16 round differently in other kernels.
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}
HALF_TOLERANCE = 0.1


def probe_ids(vocabulary: int) -> torch.Tensor:
    return torch.arange(1, PROBE_TOKENS + 1) * 7 % vocabulary


def plain_logits(model: PreTrainedModel, *, name: str) -> torch.Tensor:
    """Logits [V] behind the probe by the model's own forward pass. Raises: UsageError."""
    head = model.get_output_embeddings()
    if head is None:
        raise UsageError(f"{name}: the model has no output embeddings, so it cannot sample text")
    window = sliding_window(model.config)
    if window is not None:
        raise UsageError(f'{name}: attends to a sliding window ({window}); serve it with vLLM (engine = "vllm")')
    ids_1T = probe_ids(int(head.weight.shape[0]))[None].to(next(model.parameters()).device)  # pyright: ignore
    with torch.inference_mode():
        logits_V = model(input_ids=ids_1T).logits[0, -1].float()
    if not bool(logits_V.isfinite().all()):
        raise UsageError(f"{name}: the model's output is not finite; its weights are corrupt or a training diverged")
    return logits_V


def sliding_window(config: PretrainedConfig) -> str | None:
    """What limits attention in some layer, or None where every token sees all before it."""
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if kinds:
        return ", ".join(sorted(kinds))
    window = getattr(config, "sliding_window", None)
    return None if window is None or hasattr(config, "layer_types") else f"{window} tokens"


def check_agreement(
    probe: Callable[[torch.Tensor], torch.Tensor], expected_V: torch.Tensor, *, name: str, dtype: torch.dtype
) -> None:
    """Raises: UsageError where the engine's logits [V] differ from the plain model's."""
    serve = 'serve it with vLLM (engine = "vllm")'
    try:
        found_V = probe(probe_ids(len(expected_V)))
    except Exception as exc:
        raise UsageError(f"{name}: the local engine cannot run it ({type(exc).__name__}: {exc}); {serve}") from exc
    gap = float((found_V.log_softmax(-1) - expected_V.log_softmax(-1)).abs().mean())
    if not gap < TOLERANCE.get(dtype, HALF_TOLERANCE):
        raise UsageError(f"{name}: the local engine's log-probs differ by {gap:.2g} nats from the model's own; {serve}")
