"""What a graph file names as `module:object`: imported, from beside the file first, with the hash of its source."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from graphs.local_modules import local_module, source_sha256
from graphs.schema import GraphSpec
from prompts.closed_yaml import closest
from store.errors import UsageError


class Referred(NamedTuple):
    """`sha256`: of the module's source, and of the sources beside it that it imports."""

    value: Any
    sha256: str


def referred(spec: GraphSpec, path: tuple[str | int, ...], reference: str, *, what: str) -> Referred:
    """What `reference`, standing at `path` of the graph, names; read once for a graph, whatever the file says by now.

    Modules beside the graph file, or in the folder above it, come first.
    Raises: UsageError naming file and line of the key, and the mend.
    """
    source = Path(spec.document.place(path).source).absolute() if spec.document else None
    held, key = spec.held.referred, (source, reference)
    if key not in held:
        folders = [source.parent, source.parent.parent] if source else []
        try:
            held[key] = import_reference(reference, what=what, folders=folders)
        except UsageError as exc:
            raise spec.error(path, str(exc)) from exc
    return held[key]


def import_reference(reference: str, *, what: str, folders: Sequence[Path] = ()) -> Referred:
    """The object of `module:object`. Raises: UsageError with the closest name where there is none, or what it raised.

    `what` it is to be, for the message: "python node", "tool".
    """
    module_name, _, name = reference.partition(":")
    label = f"{what} '{reference}': can't be imported"
    try:
        local = local_module(module_name, folders)
        module = local.module if local else importlib.import_module(module_name)
    except Exception as exc:  # whatever the module does when it is imported
        kind = "" if isinstance(exc, ImportError) else f"{type(exc).__name__}: "
        raise UsageError(f"{label}: {kind}{exc}") from exc
    if not hasattr(module, name):
        near = closest(name, [known for known in vars(module) if not known.startswith("_")])
        raise UsageError(f"{label}: module '{module_name}' has no attribute '{name}'{near}")
    return Referred(getattr(module, name), local.sha256 if local else _installed_sha256(module))


@cache  # an installed module is imported once, so is its source read once
def _installed_sha256(module: ModuleType) -> str:
    return source_sha256(Path(module.__file__)) if module.__file__ else ""
