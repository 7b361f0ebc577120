"""A graph as boxes and arrows, before anyone decides how to draw them."""

from __future__ import annotations

from typing import NamedTuple

from graphs.schema import END, GraphSpec, NodeSpec

# What a node of each kind is about, and what else tells readers what it does where it is no default.
_ABOUT = ("stage", "prompt", "tool", "graph", "judge", "function")
_TELLING = ("graph", "instruction", "strategy", "runs", "candidates", "weights")


class Box(NamedTuple):
    """One node. `lines`: its name, then what it is."""

    name: str
    kind: str
    lines: tuple[str, ...]


class Arrow(NamedTuple):
    """Outcomes of `source` that lead to `target`; the label is empty where every outcome does."""

    source: str
    target: str
    label: str


class Sketch(NamedTuple):
    """Boxes in drawing order: the start first, then as the file has them; `end` is no box."""

    name: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def sketch(spec: GraphSpec) -> Sketch:
    """Every node and every route of `spec`."""
    order = [spec.start, *(name for name in spec.nodes if name != spec.start)]
    arrows = tuple(arrow for name in order for arrow in _arrows(spec, name))
    entered = {spec.start, *(arrow.target for arrow in arrows)}
    boxes = tuple(_box(name, spec.nodes[name], used=name in entered) for name in order)
    return Sketch(spec.name, boxes, arrows)


def describe(node: NodeSpec) -> str:
    """Kind and telling settings in one line: `policy: solver, instruction verify`."""
    settings, changed = node.model_dump(mode="json"), node.model_dump(mode="json", exclude_defaults=True)
    about = next((key for key in _ABOUT if settings.get(key)), "")
    told = [str(settings[about])] if about else []
    told += [f"{key} {changed[key]}" for key in _TELLING if changed.get(key) and key != about]
    return f"{node.kind}: {', '.join(told)}" if told else node.kind


def _box(name: str, node: NodeSpec, *, used: bool) -> Box:
    # It stands ready for another strategy or plugin.
    return Box(name, node.kind, (name if used else f"{name} (not used)", describe(node)))


def _arrows(spec: GraphSpec, name: str) -> list[Arrow]:
    routes, possible = spec.routes(name), spec.outcomes(spec.nodes[name])
    outcomes: dict[str, list[str]] = {}
    for outcome, target in routes.items():
        # A route may stay when its plugin was taken out: nothing travels on it.
        if outcome in possible:
            outcomes.setdefault(target, []).append(outcome)
    only = len(outcomes) == 1
    return [Arrow(name, target, "" if only else ", ".join(names)) for target, names in outcomes.items()]


__all__ = ["END", "Arrow", "Box", "Sketch", "describe", "sketch"]
