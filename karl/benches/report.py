"""The form of every bench's output: what was measured, against whom, and which targets hold."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Target(NamedTuple):
    """A claim: the figure `key` stands in relation `op` to `target`."""

    key: str
    value: float
    op: Literal[">=", "<="]
    target: float

    @property
    def ok(self) -> bool:
        return self.value >= self.target if self.op == ">=" else self.value <= self.target

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "ok": self.ok}


def machine() -> dict[str, Any]:
    """Cores, memory in GiB, processor and GPU."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages * size / 2**30, 1),
        "processor": platform.processor() or platform.machine(),
        "gpu": _gpu(),
    }


def _gpu() -> str | None:
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def commit() -> str | None:
    """The checkout's commit, with a + when it has changes; None outside of one."""
    folder = Path(__file__).parent
    try:
        called = ["git", "-C", str(folder), "describe", "--always", "--dirty=+"]
        return subprocess.run(called, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def bench_report(
    name: str,
    *,
    began: float,
    seed: int,
    figures: dict[str, Any],
    compared: list[dict[str, Any]],
    targets: list[Target],
) -> dict[str, Any]:
    """`began`: time.perf_counter() at the start."""
    return {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "seconds": round(time.perf_counter() - began, 1),
        "seed": seed,
        "figures": figures,
        "compared": compared,
        "targets": [target.as_dict() for target in targets],
    }
