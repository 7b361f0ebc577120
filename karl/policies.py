"""From a checkpoint folder to a policy that samples: the engine of the settings behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from agents.engines.base import Engine
from agents.engines.settings import ChatSettings
from agents.policy import PROFILE_FILE, Policy, PolicyProfile, load_policy, load_profile
from karl.endpoints import check_chat, check_vllm, serves
from karl.settings import Settings
from store.errors import UsageError


def open_policy(checkpoint: Path | None, *, settings: Settings, say: Callable[[str], None] | None = None) -> Policy:
    """The policy of `checkpoint`, on the engine of `settings`; with engine = chat the endpoint, which needs none.

    A vLLM endpoint serves one fixed checkpoint. Another one, such as that just trained, is sampled by the local
    engine, which `say` is told; without `say` nobody could know, and it is refused. Of several endpoints those that
    are up must serve the checkpoint; at least one must be up.
    Raises: UsageError for a missing or unreadable folder; KarlError for endpoints that are down, or refused as above.
    """
    if settings.engine == "chat":
        assert settings.chat is not None  # the settings were checked
        return _chat(settings.chat, settings=settings, say=say)
    if checkpoint is None or not checkpoint.is_dir():
        raise UsageError(f"{checkpoint}: no such model folder; give the folder of a Hugging Face checkpoint")
    return load_policy(checkpoint, engine=_engine(checkpoint, settings=settings, say=say))


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


def _engine(checkpoint: Path, *, settings: Settings, say: Callable[[str], None] | None) -> Engine:
    if settings.engine == "local":
        return _local(checkpoint, settings=settings)
    if say is not None and not serves(settings, model=str(checkpoint)):
        say(
            f"vLLM endpoint {', '.join(settings.vllm_url)} does not serve {checkpoint}: the local engine samples it, "
            f"on device {settings.device}"
        )
        return _local(checkpoint, settings=settings)
    return _vllm(checkpoint, settings=settings, say=say)


def _local(checkpoint: Path, *, settings: Settings) -> Engine:
    from agents.engines.local import LocalEngine, load_model

    model, name = load_model(checkpoint, device=settings.device), load_profile(checkpoint).name
    return LocalEngine(model, name=name, max_rows=settings.concurrency)


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
