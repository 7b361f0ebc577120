"""One mapping laid over another: graphs that extend graphs, overrides, changes from Python.

Mappings merge key by key, anything else replaces, `key: null` removes. Every key keeps the place where it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from graphs.schema.nodes import NODE_KINDS
from prompts.closed_yaml import Path, YamlDocument, closest
from store.errors import UsageError

_SHIPPED = FilePath(__file__).resolve().parent.parent
_NAMED = {"nodes": "node", "edges": "edge"}  # mappings whose keys the author chose


class Place(NamedTuple):
    """Where a key stands. `under`: the section of the file that was laid over the graph; line 0: in no file.

    `layer`: the layer that it came with, counted from the lowest.
    """

    source: str
    line: int
    column: int
    under: Path = ()
    layer: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source

    @property
    def shipped(self) -> bool:
        """Does it stand in a file of karl's own, which is not its user's to mend?"""
        return FilePath(self.source).resolve().parent == _SHIPPED

    def told(self, path: Path, message: str) -> str:
        key = ".".join(map(str, (*self.under, *path)))
        return f"{self}: key '{key}': {message}" if key else f"{self}: {message}"


@dataclass(frozen=True, eq=False)
class LayeredDocument(YamlDocument):
    """The merged data; its complaints name the file, line and key that supplied what is wrong."""

    places: dict[Path, Place] = field(repr=False, default_factory=dict)
    occasions: tuple[str, ...] = ()  # tasks and policies that some layer has overrides for

    def error(self, path: Path, message: str, *, cause: Path = ()) -> UsageError:
        """`cause`: the key that made a problem of the one at `path`, if it was laid over that one.

        A shipped graph is right by itself: what is wrong in it was done by a file laid over it, and is mended there.
        """
        place, near = self.place(path), self._to_blame(path, cause)
        if near is None:
            return UsageError(place.told(path, message))
        key = ".".join(map(str, (*place.under, *path)))
        return UsageError(self.places[near].told(near, f"laid over {place}, key '{key}': {message}"))

    def _to_blame(self, path: Path, cause: Path) -> Path | None:
        """The key to be mended instead of the one at `path`: `cause`, or the nearest of the user's."""
        place, blamed = self.place(path), self.places.get(cause) if cause else None
        if blamed is not None and blamed.layer > place.layer and blamed.source != place.source:
            return cause
        if not place.shipped:
            return None
        prefixes = [wanted[:size] for wanted in (cause, path) for size in range(len(wanted), 0, -1)]
        near = (known for known in [*prefixes, ()] if known in self.places and not self.places[known].shipped)
        return next(near, None)

    def place(self, path: Path) -> Place:
        """Of the longest prefix of `path` that some layer has."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places[path]

    def __eq__(self, other: object) -> bool:
        # Where a graph's keys stand is no part of what it is.
        return isinstance(other, LayeredDocument)

    __hash__ = None  # type: ignore[assignment]


class Layer(NamedTuple):
    """A mapping and the document that it comes from; `under`: where in that document it stands."""

    data: Mapping[str, Any]
    document: YamlDocument
    under: Path = ()

    def place(self, path: Path) -> Place:
        if isinstance(self.document, LayeredDocument):
            place = self.document.place((*self.under, *path))
            return place._replace(under=(*place.under, *self.under))
        line, column = self.document.mark((*self.under, *path)) if self.document.marks else (0, 0)
        return Place(self.document.source, line, column, self.under)

    def inner(self, path: Path) -> Iterator[Path]:
        """Every path that this layer has below `path`."""
        start = (*self.under, *path)
        for mark in self.document.marks:
            if len(mark) > len(start) and mark[: len(start)] == start:
                yield mark[len(self.under) :]


def lay(layers: Sequence[Layer]) -> LayeredDocument:
    """The layers merged, the last on top. Raises: UsageError for a null that removes what is not there."""
    places: dict[Path, Place] = {}
    data: Any = {}
    for number, layer in enumerate(layers):
        data = _Merge(layer, number, places).lay(data, layer.data, ())
    marks = {path: (place.line, place.column) for path, place in places.items()}
    return LayeredDocument(layers[-1].document.source, data, marks, places)


@dataclass(frozen=True)
class _Merge:
    """Lays one layer over what is there, and keeps the places of both."""

    layer: Layer
    number: int
    places: dict[Path, Place]

    def lay(self, base: Any, changes: Any, path: Path) -> Any:
        if isinstance(base, dict) and isinstance(changes, Mapping):
            merged = _kept(base, changes, path)
            for key in base.keys() - merged.keys():
                self._forget((*path, key))
        else:
            merged = {}
            self._forget(path)
        self.places[path] = self._place(path)
        if not isinstance(changes, Mapping):
            self.places.update({inner: self._place(inner) for inner in self.layer.inner(path)})
            return changes
        for key, value in changes.items():
            if value is None:
                self._remove(merged, key, path)
            else:
                merged[key] = self.lay(merged.get(key), value, (*path, key))
        if path == ():
            self._drop_edges(merged, changes)
        return merged

    def _remove(self, merged: dict[str, Any], key: str, path: Path) -> None:
        kind = _NAMED.get(str(path[0])) if path else None
        chosen = len(path) == 1 or (kind == "edge" and len(path) == 2)  # keys that the author of the graph chose
        if kind and chosen and key not in merged:
            known = ", ".join(map(str, merged)) or "none"
            place = self.layer.place((*path, key))
            name = ".".join(map(str, (*place.under, *path, key)))
            raise UsageError(
                f"{place}: key '{name}': null removes what the graph below has, and it has no such "
                f"{'route' if len(path) > 1 else kind}; there are: {known}{closest(key, merged)}"
            )
        merged.pop(key, None)
        self._forget((*path, key))
        self.places[(*path, key)] = self._place((*path, key))

    def _drop_edges(self, merged: dict[str, Any], changes: Mapping[str, Any]) -> None:
        """A removed node takes the edges that leave it along."""
        nodes, edges = changes.get("nodes"), merged.get("edges")
        if not (isinstance(nodes, Mapping) and isinstance(edges, dict)):
            return
        for name in [name for name, node in nodes.items() if node is None and name in edges]:
            merged["edges"] = edges = {key: edge for key, edge in edges.items() if key != name}
            self._forget(("edges", name))

    def _place(self, path: Path) -> Place:
        return self.layer.place(path)._replace(layer=self.number)

    def _forget(self, path: Path) -> None:
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]


def _kept(base: Mapping[str, Any], changes: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Of a node whose kind changes only what the new kind knows as well."""
    kind = changes.get("kind")
    if path[:1] != ("nodes",) or len(path) != 2 or kind in (None, base.get("kind")) or kind not in NODE_KINDS:
        return dict(base)
    return {key: value for key, value in base.items() if key in NODE_KINDS[kind].model_fields}
