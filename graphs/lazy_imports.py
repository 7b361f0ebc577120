"""Imports inside functions of modules that lie beside the graph: refused, since nothing would find or hash them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path


def check_lazy_imports(file: Path, *, root: str, folders: Sequence[Path]) -> None:
    """`root`: the package or module that the file came with.

    Raises: ImportError naming file, line and the mend where a function imports what lies in the folders.
    """
    for line, name in _lazy_imports(file):
        if name.startswith(".") or name == root or _beside(name, folders):
            raise ImportError(
                f"{file}:{line}: '{name}' lies beside the graph and is imported inside a function, where the running "
                "node does not find it and the node's hash does not cover it; import it at the top of the file"
            )


def _lazy_imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of each module that a function imports; relative ones with their dots."""
    for function in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                yield node.lineno, "." * node.level + module if node.level else module.partition(".")[0]


def _beside(name: str, folders: Sequence[Path]) -> bool:
    """Does an import of `name` that sees the folders last come upon one of them?"""
    if name in sys.builtin_module_names:
        return False
    spec = PathFinder.find_spec(name, [*sys.path, *map(str, folders)])
    if spec is None:
        return False
    # A folder without __init__.py has no origin, but places.
    places = spec.submodule_search_locations or [spec.origin or ""]
    return any(Path(place).resolve().parent in folders for place in places)
