"""From a checkpoint folder to a policy that samples: the engine of the settings behind it."""

from __future__ import annotations

import json
from pathlib import Path

from agents.policy import PROFILE_FILE, Policy, load_policy, load_profile
from karl.endpoints import check_vllm
from karl.settings import Settings
from store.errors import UsageError


def open_policy(checkpoint: Path, *, settings: Settings) -> Policy:
    """Raises: UsageError for a missing or unreadable folder; KarlError for an endpoint that does not serve it."""
    if not checkpoint.is_dir():
        raise UsageError(f"{checkpoint}: no such model folder; give the folder of a Hugging Face checkpoint")
    profile = load_profile(checkpoint)
    if settings.engine == "vllm":
        from agents.engines.vllm import VllmEngine, VllmSettings

        check_vllm(settings.vllm_url, model=str(checkpoint))
        return load_policy(
            checkpoint, engine=VllmEngine(VllmSettings(base_url=settings.vllm_url, model=str(checkpoint)))
        )
    from agents.engines.local import LocalEngine, load_model

    model = load_model(checkpoint, device=settings.device)
    return load_policy(checkpoint, engine=LocalEngine(model, name=profile.name))


def write_profile(checkpoint: Path, *, policy_version: int) -> None:
    """Stamp a trained checkpoint with its version, keeping what its base said."""
    profile = load_profile(checkpoint).model_copy(update={"policy_version": policy_version})
    (checkpoint / PROFILE_FILE).write_text(json.dumps(profile.model_dump(), indent=2) + "\n", encoding="utf-8")
