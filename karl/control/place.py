"""The project folder that an interface works on: its settings, and where its files are."""

from __future__ import annotations

from pathlib import Path

from karl.settings import Settings, load_settings

LOGS = "logs"

__all__ = ["Settings", "load_settings", "log_file"]


def log_file(settings: Settings, run: str) -> Path:
    """What a run that an interface started says; such a run has no terminal."""
    return settings.home / LOGS / f"{run}.log"
