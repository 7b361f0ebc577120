"""What all who start a Python process of ours need: the parent's imports in it, and how it ended in words."""

from __future__ import annotations

import os
import signal
import sys


def same_imports() -> dict[str, str]:
    """The environment in which a child finds the modules that this process finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)}


def how_it_ended(status: int | None) -> str:
    """`status` None: it lives, and closed its end."""
    if status is None:
        return "closed its socket"
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}" + (", as for lack of memory" if name == "SIGKILL" else "")
