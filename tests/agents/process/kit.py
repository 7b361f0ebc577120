"""A model folder, loaded into processes."""

from __future__ import annotations

from pathlib import Path

from agents.engines.process import ModelSpec, ProcessEngine


def loaded(folder: Path, *, processes: int = 1) -> ProcessEngine:
    """Four rows a process. Raises: UsageError for a folder without a model."""
    engine = ProcessEngine(ModelSpec(str(folder), "tiny", "cpu", max_rows=4 * processes), processes=processes)
    engine.wait()
    return engine
