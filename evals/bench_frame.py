"""The frame of every bench: where and when it ran, its figures, what it was compared with, its targets."""

from __future__ import annotations

import operator
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


class Target(NamedTuple):
    """key: where the value stands in the figures; op: one of OPERATORS."""

    key: str
    value: float
    op: str
    target: float

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "ok": bool(OPERATORS[self.op](self.value, self.target))}


def bench_report(
    name: str,
    *,
    figures: Mapping[str, Any],
    compared: Mapping[str, str],
    targets: Sequence[Target],
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """compared: peer or baseline -> version. The result is JSON-ready."""
    return {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "seconds": round(seconds, 3),
        "seed": seed,
        "figures": dict(figures),
        "compared": dict(compared),
        "targets": [target.as_dict() for target in targets],
    }


def machine() -> dict[str, Any]:
    """Cores this process may use, memory in GiB, the GPU's name or None."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "memory_gib": round(memory, 1), "gpu": gpu_name()}


def machine_text() -> str:
    """The same in words."""
    found = machine()
    return f"{found['cores']} cores, {found['memory_gib']:.0f} GiB, {found['gpu'] or 'no GPU'}"


def gpu_name() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    return _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])


def commit() -> str | None:
    """The checkout's commit, with + where files differ from it; None outside a checkout."""
    here = str(Path(__file__).parent)
    head = _output(["git", "-C", here, "rev-parse", "--short", "HEAD"])
    if head is None:
        return None
    return head + ("+" if _output(["git", "-C", here, "status", "--porcelain", "--untracked-files=no"]) else "")


def _output(command: list[str]) -> str | None:
    """None where the command fails or is missing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
