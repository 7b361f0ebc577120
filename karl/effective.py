"""A graph as it takes effect: extended graphs and overrides laid together, every default written out, as YAML."""

from __future__ import annotations

import difflib
from typing import Any

import yaml

from graphs.schema import GraphSpec

WIDTH = 120


def as_yaml(spec: GraphSpec) -> str:
    """A graph file of the same meaning and the same hash."""
    return "".join(_block(key, value) for key, value in as_data(spec).items())


def as_data(spec: GraphSpec) -> dict[str, Any]:
    """Plain values. Keys that hold nothing are left out: null in a graph file removes a key."""
    data = _full(spec.model_dump(mode="json"))
    kinds = {name: {"kind": node["kind"], **node} for name, node in data["nodes"].items()}
    return {**data, "nodes": kinds}


def difference(first: str, second: str, *, names: tuple[str, str]) -> str:
    """A unified diff; empty when the texts are equal."""
    lines = difflib.unified_diff(first.splitlines(), second.splitlines(), *names, lineterm="", n=3)
    return "\n".join(lines)


def changed_lines(told: str) -> list[str]:
    """Of a unified diff, what was taken out and what was put in."""
    return [line for line in told.splitlines()[2:] if line[:1] in ("-", "+")]


class _Dumper(yaml.SafeDumper):
    """Items of a list are indented, as in the shipped files."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def _block(key: str, value: Any) -> str:
    # Leaves in one line each; None: decided by what is inside.
    flow = None if isinstance(value, dict | list) else False
    options: dict[str, Any] = {"sort_keys": False, "width": WIDTH, "allow_unicode": True}
    return yaml.dump({key: value}, Dumper=_Dumper, default_flow_style=flow, **options)


def _full(value: Any) -> Any:
    """Without what is null or empty."""
    if isinstance(value, dict):
        pairs = ((key, _full(inner)) for key, inner in value.items())
        return {key: inner for key, inner in pairs if inner is not None and inner not in ({}, [])}
    return [_full(inner) for inner in value] if isinstance(value, list) else value
