"""The six tasks of KARLBench and FogBench, by name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from evals.tasks import browsecomp_plus, financebench, fogbench, freshstack, pmbench, qampari, trec_biogen
from evals.tasks.base import Task
from evals.tasks.spec import TaskSpec
from store.errors import UsageError

_MODULES = (browsecomp_plus, trec_biogen, financebench, qampari, freshstack, pmbench)
KARLBENCH = tuple(module.SPEC.name for module in _MODULES)
TASKS: Mapping[str, Task] = MappingProxyType({module.SPEC.name: module.TASK for module in (*_MODULES, fogbench)})

__all__ = ["KARLBENCH", "TASKS", "Task", "TaskSpec", "task"]


def task(name: str) -> Task:
    """By name, in any case, with - for _. Raises: UsageError with the closest name and all there are."""
    found = TASKS.get(_spelled(name))
    if found is None:
        close = get_close_matches(_spelled(name), TASKS, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise UsageError(f"no task {name!r}{hint}; there are: {', '.join(TASKS)}")
    return found


def _spelled(name: str) -> str:
    return name.strip().lower().replace("-", "_")
