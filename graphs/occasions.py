"""Tasks and policies by name: one that no graph and no prompt knows would change nothing, and nobody would notice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from graphs.schema import GraphSpec
from prompts.closed_yaml import closest
from prompts.loader import BUILT_IN
from store.errors import UsageError


def check_tasks(tasks: Iterable[str], specs: Sequence[GraphSpec], *, prompt_path: Sequence[Path] = ()) -> None:
    """Raises: UsageError for a task that none of the graphs has overrides for, with the closest name.

    Overrides for a policy that has prompts of its own are not among those that the message offers.
    """
    known = _occasions(specs)
    for task in tasks:
        if task not in known:
            offered = known - _variants(prompt_path)
            raise _unknown("task", task, specs, offered, f"write 'overrides: {{{task}: ...}}', or leave the task out")


def task_names(specs: Iterable[GraphSpec], *, prompt_path: Sequence[Path] = ()) -> tuple[str, ...]:
    """What `check_tasks` accepts and offers, sorted."""
    return tuple(sorted(_occasions(specs) - _variants(prompt_path)))


def check_variant(variant: str, specs: Sequence[GraphSpec], *, prompt_path: Sequence[Path]) -> None:
    """Raises: UsageError for a variant that neither the graphs nor a folder of prompts know, with the closest name."""
    known = _occasions(specs) | _variants(prompt_path)
    if variant and variant not in known:
        mend = f"write 'overrides: {{{variant}: ...}}' or prompts/{variant}/NAME.md"
        raise _unknown("variant", variant, specs, known, mend)


def _variants(prompt_path: Sequence[Path]) -> set[str]:
    """Policies that some folder has prompts for."""
    return {file.parent.name for place in [*prompt_path, BUILT_IN] for file in place.glob("*/*.md")}


def _occasions(specs: Iterable[GraphSpec]) -> set[str]:
    return {name for spec in specs if spec.document for name in spec.document.occasions}


def _unknown(kind: str, name: str, specs: Iterable[GraphSpec], known: set[str], mend: str) -> UsageError:
    graphs = ", ".join(sorted({spec.name for spec in specs}))
    listed = ", ".join(sorted(known)) or "none"
    return UsageError(f"no {kind} '{name}' in {graphs}; there are: {listed}{closest(name, known)}; {mend}")
