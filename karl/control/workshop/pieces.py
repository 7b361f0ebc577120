"""Which graphs and prompts are in effect, where each comes from, and which are broken and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from karl.settings import Settings
from store.errors import UsageError

if TYPE_CHECKING:
    from karl.catalog import Entry

Stamp = tuple[tuple[str, int, int], ...]


class Kind(StrEnum):
    GRAPH = "graph"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Piece:
    """One graph or prompt that is in effect. problem: why it can't be used, "" for a good one.

    shadows: files of the same name that it hides, the nearest first. about: what it says of itself.
    """

    kind: Kind
    name: str
    variant: str
    path: Path
    built_in: bool
    shadows: tuple[Path, ...]
    about: str
    problem: str

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.shown}"

    @property
    def shown(self) -> str:
        return f"{self.variant}/{self.name}" if self.variant else self.name

    @property
    def origin(self) -> str:
        if self.built_in:
            return "built-in"
        return "yours, hides built-in" if self.shadows else "yours"


@dataclass(frozen=True, slots=True)
class Shelf:
    """pieces: graphs, then prompts, by name. ignored: files that no name finds, each told with the mend."""

    pieces: tuple[Piece, ...]
    ignored: tuple[str, ...]


class ShelfReader:
    """Reads the files again only when one of them is another than before. Not for two threads at once."""

    def __init__(self) -> None:
        self._kept: tuple[Stamp, Shelf] | None = None

    def read(self, settings: Settings) -> Shelf:
        """The same object as long as nothing changed."""
        from karl.catalog import graph_entries, misnamed, prompt_entries

        found = {Kind.GRAPH: graph_entries(settings), Kind.PROMPT: prompt_entries(settings)}
        ignored = [*misnamed(settings.graph_path, ".yaml"), *misnamed(settings.prompt_path, ".md")]
        files = [path for entries in found.values() for entry in entries for path in (entry.path, *entry.shadows)]
        stamp = tuple(_stamp([*files, *(path for path, _ in ignored)]))
        if self._kept is None or self._kept[0] != stamp:
            pieces = tuple(_piece(kind, entry, settings) for kind, entries in found.items() for entry in entries)
            self._kept = (stamp, Shelf(pieces, tuple(f"{path}: {message}" for path, message in ignored)))
        return self._kept[1]


def _stamp(files: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    for file in files:
        try:
            found = file.stat()
        except OSError:
            yield str(file), 0, 0  # gone since it was listed
        else:
            yield str(file), found.st_mtime_ns, found.st_size


def _piece(kind: Kind, entry: Entry, settings: Settings) -> Piece:
    about, problem = "", ""
    try:
        about = _DESCRIBE[kind](entry, settings)
    except UsageError as exc:
        problem = str(exc)
    place = (entry.path, entry.built_in, entry.shadows)
    return Piece(kind, entry.name, entry.variant, *place, about=about, problem=problem)


def _graph(entry: Entry, settings: Settings) -> str:
    from karl.catalog import find_graph

    return find_graph(entry.name, settings=settings).description


def _prompt(entry: Entry, _: Settings) -> str:
    from prompts.loader import read_prompt

    return read_prompt(entry.path, name=entry.name, variant=entry.variant).front.description


_DESCRIBE: dict[Kind, Callable[[Entry, Settings], str]] = {Kind.GRAPH: _graph, Kind.PROMPT: _prompt}
