"""What others wrote, made fit for a terminal."""

from __future__ import annotations

import re

# A terminal obeys these: what a model or a document says is shown, not obeyed.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
