"""The line of keys at the bottom: those that do something here, as far as there is room. A click presses one.

Textual's Footer is a widget a key, made anew at every move of the focus, and (8.2) never lets go of the old ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget

LAST = ("help", "command_palette")  # actions: always there, for they lead to all others


class Key(NamedTuple):
    """name: textual's; shown: as users know it; enabled: whether it does something now."""

    name: str
    shown: str
    does: str
    action: str
    enabled: bool

    def text(self, style: Style) -> Content:
        line = Content.assemble(" ", (self.shown, style), f" {self.does} ")
        return line.stylize(Style(dim=not self.enabled) + Style.from_meta({"key": self.name}))


class Keys(Widget):
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key"}

    def __init__(self) -> None:
        super().__init__()
        self._keys: Sequence[Key] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        """Bindings are said to have changed more often than they have."""
        keys = tuple(self._active(screen))
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def _active(self, screen: Screen[object]) -> Iterator[Key]:
        """Of several keys for one action, the first."""
        actions: set[str] = set()
        idle = getattr(screen, "idle_actions", frozenset())
        for active in screen.active_bindings.values():
            binding = active.binding
            action = binding.action.removeprefix("app.")
            if (binding.show or action in LAST) and action not in actions:
                actions.add(action)
                shown = self.app.get_key_display(binding)
                yield Key(binding.key, shown, binding.description, action, active.enabled and action not in idle)

    def render(self) -> Content:
        return keys_text(self._keys, width=self.size.width, style=self.get_visual_style("keys--key", partial=True))

    def on_click(self, event: Click) -> None:
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)


def keys_text(keys: Sequence[Key], *, width: int, style: Style) -> Content:
    """So many cells: the keys from the left, as many as fit, and the last ones at the right. `style`: of the keys."""
    last = [key for name in LAST for key in keys if key.action == name]
    end = Content("").join(key.text(style) for key in last)
    line = Content("")
    for key in keys:
        text = key.text(style)
        if key in last:
            continue
        if line.cell_length + text.cell_length + end.cell_length > width:
            break
        line = line.append(text)
    return line.append(" " * (width - line.cell_length - end.cell_length)).append(end)
