"""Modules beside a graph file, imported apart from all others: each project has its own, and edits take effect."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any, NamedTuple

from graphs.lazy_imports import check_lazy_imports

# Where karl itself is installed: what lies there is imported as usual.
_INSTALLED = frozenset({Path(__file__).resolve().parent, Path(__file__).resolve().parent.parent})
_LOCK = RLock()


class LocalModule(NamedTuple):
    """A module that is not in `sys.modules`. `sources`: file -> SHA-256 of it and of the modules that came with it."""

    module: ModuleType
    sources: Mapping[Path, str]

    @property
    def sha256(self) -> str:
        """Of all its sources; where they lie does not count."""
        return hashlib.sha256("".join(sorted(self.sources.values())).encode()).hexdigest()

    @property
    def current(self) -> bool:
        return all(file.is_file() and source_sha256(file) == sha256 for file, sha256 in self.sources.items())


_READ: dict[tuple[str, tuple[Path, ...]], LocalModule] = {}


def source_sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def local_module(name: str, folders: Sequence[Path]) -> LocalModule | None:
    """The module `name` of the first folder that holds it; the one read before while its sources are the same.

    None: no folder holds it. Raises: whatever the module raises when it is imported; ImportError where a function of
    it imports another module of the folders.
    """
    where = tuple(folder.resolve() for folder in folders if folder.resolve() not in _INSTALLED)
    if not any(_file(folder, name) for folder in where):
        return None
    with _LOCK:
        held = _READ.get((name, where))
        if held is None or not held.current:
            held = _READ[name, where] = _import(name, where)
        return held


def _import(name: str, folders: Sequence[Path]) -> LocalModule:
    root = name.partition(".")[0]
    with _apart(root, folders) as loaded:
        module = importlib.import_module(name)
    files = {Path(found.__file__) for found in loaded if found.__file__}
    for file in sorted(file for file in files if file.suffix == ".py"):
        check_lazy_imports(file, root=root, folders=folders)
    return LocalModule(module, {file: source_sha256(file) for file in files})


@contextmanager
def _apart(root: str, folders: Sequence[Path]) -> Iterator[list[ModuleType]]:
    """Imports find the package or module `root` in the folders; yields a list of what was loaded from them."""
    before, path, bytecode = dict(sys.modules), list(sys.path), sys.dont_write_bytecode
    finder = _RootFinder(root, folders)
    hidden = {name: sys.modules.pop(name) for name in before if name.partition(".")[0] == root}
    # Behind everything installed: another file of the project must not shadow a library by accident.
    sys.path.extend(str(folder) for folder in folders)
    sys.meta_path.insert(0, finder)
    # Bytecode is dated to the second: an edit within the same second would run the code of before.
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    loaded: list[ModuleType] = []
    try:
        yield loaded
    finally:
        sys.meta_path.remove(finder)
        sys.path[:], sys.dont_write_bytecode = path, bytecode
        fresh = {name: module for name, module in sys.modules.items() if before.get(name) is not module}
        for name, module in fresh.items():
            if name.partition(".")[0] == root or _local(name, module, folders):
                loaded.append(sys.modules.pop(name))
        sys.modules.update(hidden)


class _RootFinder:
    def __init__(self, root: str, folders: Sequence[Path]) -> None:
        self._root = root
        self._folders = [str(folder) for folder in folders]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, self._folders) if name == self._root else None


def _local(name: str, module: ModuleType, folders: Sequence[Path]) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and any(_file(folder, name) == Path(file) for folder in folders)


def _file(folder: Path, name: str) -> Path | None:
    stem = folder.joinpath(*name.split("."))
    return next((file for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")) if file.is_file()), None)
