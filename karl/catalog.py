"""Which graphs and prompts there are, where each comes from, and what a name on the command line stands for.

A reference is a name (`solver`), the built-in one of that name (`solver@built-in`), or a file (`graphs/solver.yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import graphs
import prompts
from graphs.occasions import check_tasks, check_variant
from graphs.schema import GraphSpec, load_spec, read_spec
from karl.settings import Settings
from prompts import Prompt, load_prompt
from prompts.closed_yaml import closest
from prompts.loader import read_prompt
from store.errors import UsageError

GRAPHS = Path(graphs.__file__).parent
PROMPTS = Path(prompts.__file__).parent
BUILT_IN = "@built-in"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Entry(NamedTuple):
    """One file that is in effect. `shadows`: files of the same name that it hides, the nearest first."""

    name: str
    variant: str
    path: Path
    built_in: bool
    shadows: tuple[Path, ...]

    @property
    def origin(self) -> str:
        return "built-in" if self.built_in else "yours"


def graph_entries(settings: Settings) -> list[Entry]:
    """Sorted by name."""
    return _entries([*settings.graph_path, GRAPHS], "*.yaml", built_in=GRAPHS)


def prompt_entries(settings: Settings) -> list[Entry]:
    """Sorted by name, the plain one before its variants (`tiny/solver.md` is the variant "tiny" of `solver`)."""
    folders = [*settings.prompt_path, PROMPTS]
    return sorted([*_entries(folders, "*.md", built_in=PROMPTS), *_entries(folders, "*/*.md", built_in=PROMPTS)])


def find_graph(reference: str, *, settings: Settings, variant: str = "", tasks: Sequence[str] = ()) -> GraphSpec:
    """Raises: UsageError for an unknown graph, task or variant and for whatever is wrong in the file."""
    (spec,) = find_graphs([reference], settings=settings, variant=variant, tasks=tasks)
    return spec


def find_graphs(
    references: Sequence[str], *, settings: Settings, variant: str = "", tasks: Sequence[str] = ()
) -> list[GraphSpec]:
    """Several, of which one has to know the tasks. Raises: UsageError as `find_graph` does."""
    specs = [_graph(reference, settings, variant=variant, tasks=tasks) for reference in references]
    check_tasks(tasks, specs, prompt_path=settings.prompt_path)
    check_variant(variant, specs, prompt_path=settings.prompt_path)
    return specs


def find_by_occasion(references: Sequence[str], *, settings: Settings) -> dict[str, list[GraphSpec]]:
    """The graphs for each task and policy that one of them has overrides for. Raises: UsageError."""
    plain = find_graphs(references, settings=settings)
    names = {name for spec in plain if spec.document for name in spec.document.occasions}
    return {name: find_graphs(references, settings=settings, tasks=[name]) for name in sorted(names)}


def _graph(reference: str, settings: Settings, *, variant: str, tasks: Sequence[str]) -> GraphSpec:
    path = settings.graph_path
    if _is_file(reference, ".yaml"):
        return read_spec(known_as(Path(reference), path), variant=variant, tasks=tasks, path=path)
    name, built_in = _split(reference)
    if built_in:
        _check_shipped("graph", GRAPHS / f"{name}.yaml", graph_entries(settings))
    return load_spec(name, variant=variant, tasks=tasks, path=[] if built_in else path)


def find_prompt(reference: str, *, settings: Settings, variant: str = "") -> Prompt:
    """Raises: UsageError for an unknown name or variant and for whatever is wrong in the file."""
    entries = prompt_entries(settings)
    _check_variant(variant, entries, settings)
    if _is_file(reference, ".md"):
        return read_prompt(Path(reference), name=Path(reference).stem, variant=variant)
    name, built_in = _split(reference)
    if built_in:
        _check_shipped("prompt", PROMPTS / f"{name}.md", entries)
    return load_prompt(name, variant=variant, path=[] if built_in else settings.prompt_path)


def pair(first: str, second: str | None) -> tuple[str, str]:
    """What a diff compares, the older one first: with one reference, the built-in one of its name and itself."""
    return (first, second) if second else (f"{Path(first.removesuffix(BUILT_IN)).stem}{BUILT_IN}", first)


def files_under(places: Sequence[Path], suffix: str) -> Iterator[Path]:
    """The files given, and those in the folders given, named like graphs or prompts."""
    for place in places:
        if place.is_dir():
            yield from sorted(file for file in place.rglob(f"*{suffix}") if _NAME.fullmatch(file.stem))
        else:
            yield place


def misnamed(places: Sequence[Path], suffix: str) -> list[tuple[Path, str]]:
    """Files in these folders that look like graphs or prompts and that no name finds, each with what to do about it."""
    endings = {".yaml": (".yaml", ".yml"), ".md": (".md",)}[suffix]
    files = (file for place in places if place.is_dir() for file in sorted(place.rglob("*")))
    ignored = [
        file
        for file in files
        if file.suffix in endings and file.stem != "README" and not _NAME.fullmatch(file.name.removesuffix(suffix))
    ]
    rule = f"only files NAME{suffix} are, NAME of small letters, digits and _"
    return [(file, f"not in effect: {rule}; call it {_named_well(file.stem)}{suffix}") for file in ignored]


def _named_well(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "unnamed"


def known_as(file: Path, path: Sequence[Path]) -> Path:
    """`file` as the graph path spells it: a graph that extends its own name has to know in which folder it lies."""
    folders = (folder for folder in [*path, GRAPHS] if folder.resolve() == file.parent.resolve())
    return next((folder / file.name for folder in folders), file)


def _entries(folders: Sequence[Path], pattern: str, *, built_in: Path) -> list[Entry]:
    found: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        for file in folder.glob(pattern):
            variant = "" if file.parent == folder else file.parent.name
            if _NAME.fullmatch(file.stem):
                found.setdefault((file.stem, variant), []).append(file)
    return sorted(
        Entry(name, variant, files[0], built_in in files[0].parents, tuple(files[1:]))
        for (name, variant), files in found.items()
    )


def _check_shipped(kind: str, shipped: Path, entries: Sequence[Entry]) -> None:
    """Raises: UsageError for a name that only files of the user's have; one that nobody has is the reader's matter."""
    own = next((entry.path for entry in entries if entry.name == shipped.stem), None)
    if own is not None and not shipped.is_file():
        message = f"this {kind} is yours alone; there is no built-in '{shipped.stem}' to compare it with or to copy"
        raise UsageError(f"{own}: {message}")


def _check_variant(variant: str, entries: Sequence[Entry], settings: Settings) -> None:
    """A policy may have overrides of graphs and no prompts of its own. Raises: UsageError for one that has neither."""
    known = {entry.variant for entry in entries if entry.variant}
    if not variant or variant in known or variant in _overridden(settings):
        return
    listed = ", ".join(sorted(known)) or "none"
    raise UsageError(
        f"no variant '{variant}' of any prompt; there are: {listed}{closest(variant, known)}; "
        f"write prompts/{variant}/NAME.md, or leave the variant out"
    )


def _overridden(settings: Settings) -> set[str]:
    """Tasks and policies that some graph has overrides for; a broken graph, which is told elsewhere, has none."""
    found: set[str] = set()
    for entry in graph_entries(settings):
        with suppress(UsageError):
            document = load_spec(entry.name, path=settings.graph_path).document
            found.update(document.occasions if document else ())
    return found


def _is_file(reference: str, suffix: str) -> bool:
    return reference.endswith(suffix) or "/" in reference or "\\" in reference


def _split(reference: str) -> tuple[str, bool]:
    return reference.removesuffix(BUILT_IN), reference.endswith(BUILT_IN)
