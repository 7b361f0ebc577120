"""How a system looks in every plot: a colour of its own, and a shape for those who don't tell the colours apart."""

from __future__ import annotations

import math

from evals.report.svg.element import path, tag

COLOURS = 8
SIZE = 5.5
NAME_CHARS = 24
_STAR = 5


def colour(index: int) -> str:
    """Class; the page says which colour that is, by light and by dark."""
    return f"c{index % COLOURS}"


def mark(index: int, x: float, y: float, *, size: float = SIZE) -> str:
    """The ninth system has the first one's colour and another shape."""
    shape = (index % COLOURS + index // COLOURS) % len(_SHAPES)
    if shape == 0:
        return tag("circle", cx=x, cy=y, r=size, class_=f"mark {colour(index)}")
    return path(((x + dx * size, y + dy * size) for dx, dy in _SHAPES[shape]), closed=True, class_=_classes(index))


def shown(name: str) -> str:
    """Both ends of a long name: versions stand at the end."""
    if len(name) <= NAME_CHARS:
        return name
    head = NAME_CHARS // 2
    return f"{name[:head]}…{name[-(NAME_CHARS - head - 1) :]}"


def _classes(index: int) -> str:
    return f"mark {colour(index)}"


def _regular(corners: int, *, turn: float = -90.0, inner: float | None = None) -> list[tuple[float, float]]:
    """Corners on a circle; with `inner`, a star's."""
    every = corners * (2 if inner else 1)
    radii = [inner if inner and number % 2 else 1.2 for number in range(every)]
    angles = [math.radians(turn + 360.0 * number / every) for number in range(every)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in zip(radii, angles, strict=True)]


_PLUS = [(-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4)]
_SHAPES: tuple[list[tuple[float, float]], ...] = (
    [],
    [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    _regular(3),
    _regular(4),
    _regular(3, turn=90.0),
    [*_PLUS, *[(-x, -y) for x, y in _PLUS]],
    _regular(_STAR, inner=0.5),
    _regular(6),
    [(-1.2, -0.5), (1.2, -0.5), (1.2, 0.5), (-1.2, 0.5)],
)
