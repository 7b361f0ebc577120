"""Colours. No state is told by colour alone: every one has a word or a sign as well.

`karl-safe` keeps to the Okabe-Ito palette, whose colours stay apart under every common colour blindness.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="karl-dark",
    primary="#5fa8d3",
    secondary="#8d99ae",
    accent="#f2a65a",
    success="#7bc86c",
    warning="#e9c46a",
    error="#e76f6f",
    foreground="#d8dee9",
    background="#11151c",
    surface="#171c26",
    panel="#212936",
    dark=True,
)
LIGHT = Theme(
    name="karl-light",
    primary="#1f5f8b",
    secondary="#56637a",
    accent="#a8480b",
    success="#2c6e31",
    warning="#7a5a00",
    error="#a32020",
    foreground="#1b2430",
    background="#fbfaf7",
    surface="#f1efe9",
    panel="#e3e0d7",
    dark=False,
)
CONTRAST = Theme(
    name="karl-contrast",
    primary="#ffffff",
    secondary="#ffffff",
    accent="#ffff00",
    success="#00ff00",
    warning="#ffff00",
    error="#ff8080",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#202020",
    dark=True,
)
SAFE = Theme(
    name="karl-safe",
    primary="#56b4e9",
    secondary="#999999",
    accent="#e69f00",
    success="#009e73",
    warning="#f0e442",
    error="#d55e00",
    foreground="#e8e8e8",
    background="#101418",
    surface="#171d23",
    panel="#222a32",
    dark=True,
)
THEMES = (DARK, LIGHT, CONTRAST, SAFE)
