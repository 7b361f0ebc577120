"""SVG elements as text. Everything that comes from outside is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable


def tag(name: str, *children: str, **attributes: str | float | None) -> str:
    """`children` are elements already; an attribute's `_` becomes `-`, a trailing one is dropped; None: left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{''.join(children)}</{name}>" if children else f"<{name}{given}/>"


def text(words: str, x: float, y: float, *, anchor: str = "start", class_: str | None = None) -> str:
    return tag("text", html.escape(words), x=x, y=y, text_anchor=anchor, class_=class_)


def group(children: Iterable[str], *, title: str = "", class_: str | None = None) -> str:
    """`title` shows on hovering, and is read out."""
    named = [tag("title", html.escape(title))] if title else []
    return tag("g", *named, *children, class_=class_)


def path(points: Iterable[tuple[float, float]], *, closed: bool = False, class_: str | None = None) -> str:
    joined = " L".join(f"{_plain(x)} {_plain(y)}" for x, y in points)
    return tag("path", d=f"M{joined}{' Z' if closed else ''}", class_=class_)


def drawing(*children: str, width: float, height: float, name: str, title: str, description: str) -> str:
    """`name` is unique on the page: title and description are found by it."""
    heads = (
        tag("title", html.escape(title), id=f"{name}-title"),
        tag("desc", html.escape(description), id=f"{name}-desc"),
    )
    return tag(
        "svg",
        *heads,
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
