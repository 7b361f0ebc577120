"""From a checkpoint folder to a policy that samples: the engine of the settings behind it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from agents.engines.base import Engine
from agents.engines.process import ModelSpec, ProcessEngine
from agents.engines.settings import ChatSettings
from agents.policy import PROFILE_FILE, Policy, PolicyProfile, load_policy, load_profile
from karl.endpoints import check_chat, check_vllm, serves
from karl.settings import Settings
from store.errors import UsageError

SMALL_POLICY = 100 * 2**20  # bytes of weights
MANY = 32  # rollouts at once for which a second process is worth its start


def open_policy(
    checkpoint: Path | None, *, settings: Settings, say: Callable[[str], None] | None = None, many: bool = False
) -> Policy:
    """The policy of `checkpoint`, on the engine of `settings`; with engine = chat the endpoint, which needs none.

    A vLLM endpoint serves one fixed checkpoint. Another one, such as that just trained, is sampled by the local
    engine, which `say` is told; without `say` nobody could know, and it is refused. Of several endpoints those that
    are up must serve the checkpoint; at least one must be up.
    many: as many rollouts as the settings allow will be under way at once.
    Raises: UsageError for a missing or unreadable folder; KarlError for endpoints that are down, or refused as above.
    """
    if settings.engine == "chat":
        assert settings.chat is not None  # the settings were checked
        return _chat(settings.chat, settings=settings, say=say)
    if checkpoint is None or not checkpoint.is_dir():
        raise UsageError(f"{checkpoint}: no such model folder; give the folder of a Hugging Face checkpoint")
    engine = _engine(checkpoint, settings=settings, say=say, many=many)
    if not isinstance(engine, ProcessEngine):
        return load_policy(checkpoint, engine=engine)
    try:
        policy = load_policy(checkpoint, engine=engine)  # imports as much as the engine does meanwhile
        engine.wait()
    except BaseException:
        engine.close_soon()
        raise
    return policy


def profile_of(checkpoint: Path | None, *, settings: Settings) -> PolicyProfile:
    """Of the policy that `open_policy` would open, without opening it. Raises: UsageError for a missing folder."""
    if settings.engine == "chat":
        from agents.chat_policy import chat_profile

        assert settings.chat is not None  # the settings were checked
        return chat_profile(settings.chat)
    if checkpoint is None:
        raise UsageError(f"engine {settings.engine!r} samples a checkpoint; give the folder of one")
    return load_profile(checkpoint)


def _chat(chat: ChatSettings, *, settings: Settings, say: Callable[[str], None] | None) -> Policy:
    from agents.chat_policy import chat_policy
    from agents.engines.chat import ChatEngine
    from agents.engines.router import Router

    check_chat(chat)
    return chat_policy(chat, engine=Router([ChatEngine(chat)], settings.routing, say=say))


def _engine(checkpoint: Path, *, settings: Settings, say: Callable[[str], None] | None, many: bool) -> Engine:
    if settings.engine == "local":
        return _local(checkpoint, settings=settings, many=many)
    if say is not None and not serves(settings, model=str(checkpoint)):
        say(
            f"vLLM endpoint {', '.join(settings.vllm_url)} does not serve {checkpoint}: the local engine samples it, "
            f"on device {settings.device}"
        )
        return _local(checkpoint, settings=settings, many=many)
    return _vllm(checkpoint, settings=settings, say=say)


def _local(checkpoint: Path, *, settings: Settings, many: bool) -> Engine:
    name, rows = load_profile(checkpoint).name, settings.concurrency
    if processes := _processes(checkpoint, settings=settings, many=many):
        return ProcessEngine(ModelSpec(str(checkpoint), name, settings.device, rows), processes=processes)
    from agents.engines.local import LocalEngine, load_model

    return LocalEngine(load_model(checkpoint, device=settings.device), name=name, max_rows=rows)


def _processes(checkpoint: Path, *, settings: Settings, many: bool) -> int:
    """How many sample `checkpoint`. 0: this one does."""
    if settings.engine_processes != "auto":
        return settings.engine_processes
    if os.name != "posix":  # they are given their socket as only POSIX can
        return 0
    size = sum(file.stat().st_size for file in checkpoint.glob("*.safetensors"))
    # A large model keeps all cores busy in one process, and would be in memory twice.
    small = settings.device == "cpu" and size <= SMALL_POLICY
    worth = many and settings.concurrency >= MANY and (os.cpu_count() or 1) > 1
    return 2 if small and worth else 1


def _vllm(checkpoint: Path, *, settings: Settings, say: Callable[[str], None] | None) -> Engine:
    from agents.engines.router import TokenRouter
    from agents.engines.settings import EndpointSettings
    from agents.engines.vllm import VllmEngine

    check_vllm(settings, model=str(checkpoint), context_tokens=load_profile(checkpoint).context_tokens, say=say)
    shared = {"model": str(checkpoint), "api_key": settings.vllm_api_key, "timeout_seconds": settings.vllm_timeout}
    endpoints = [VllmEngine(EndpointSettings(base_url=url, **shared)) for url in settings.vllm_url]
    return TokenRouter(endpoints, settings.routing, say=say)


def write_profile(checkpoint: Path, *, policy_version: int) -> None:
    """Stamp a trained checkpoint with its version, keeping what its base said."""
    profile = load_profile(checkpoint).model_copy(update={"policy_version": policy_version})
    (checkpoint / PROFILE_FILE).write_text(json.dumps(profile.model_dump(), indent=2) + "\n", encoding="utf-8")
