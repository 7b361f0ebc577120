"""Walks over a directed graph: what is reached from where, and circles that nothing bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet


def without_limit(edges: Mapping[str, AbstractSet[str]], *, bounded: AbstractSet[str]) -> Iterator[str]:
    """Nodes, in order, that can be returned to along a path that enters no node of `bounded`."""
    for name in edges:
        if name not in bounded and name in reached(edges, name, avoiding=bounded):
            yield name


def reached(edges: Mapping[str, AbstractSet[str]], start: str, *, avoiding: AbstractSet[str] = frozenset()) -> set[str]:
    """What a path of at least one step from `start` enters without entering `avoiding`."""
    seen: set[str] = set()
    open_nodes = [start]
    while open_nodes:
        new = edges.get(open_nodes.pop(), frozenset()) - seen - avoiding
        seen |= new
        open_nodes += sorted(new)
    return seen
