"""From a value model's folder to a value function that a graph can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agents.policy import PolicyProfile
from karl.settings import Settings
from store.errors import UsageError
from store.value_record import read_value_record

if TYPE_CHECKING:
    from agents.engines.local.value_model import ValueModel

TOKENIZER = "tokenizer.json"


def open_value(
    folder: Path,
    *,
    policy: Path | None,
    profile: PolicyProfile,
    settings: Settings,
    say: Callable[[str], None] | None = None,
) -> ValueModel:
    """The value model of `folder`, on the settings' device. `policy`: the folder whose tokens it will be shown.

    `say` is told when it learned from rollouts of another version of the policy: its values are then guesses.
    Raises: UsageError for a folder that is none, or whose tokenizer is not the policy's.
    """
    record = read_value_record(folder)
    if policy is not None and _differ(folder / TOKENIZER, policy / TOKENIZER):
        raise UsageError(
            f"{folder}: its {TOKENIZER} is not that of the policy {policy}, so that it would read other tokens; "
            "train a value model on this policy's rollouts"
        )
    if say is not None and record.policy_version != profile.policy_version:
        say(
            f"value model {record.label} learned from rollouts of policy version {record.policy_version}, this is "
            f"version {profile.policy_version}"
        )
    from agents.engines.local.value_model import load_value

    return load_value(folder, device=settings.device, max_rows=settings.concurrency)


def _differ(one: Path, other: Path) -> bool:
    return not one.is_file() or not other.is_file() or one.read_bytes() != other.read_bytes()
