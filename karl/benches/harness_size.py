"""How much a rollout of the harness bench reads: its prompts' variant, and the passages that a search brings."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from karl.tiny.world import make_world, write_notes
from store.types import Hit


class Size(NamedTuple):
    """variant: of graph and prompts; every search brings `hits` passages of `notes` notes each, cut at `chars`."""

    variant: str
    hits: int
    notes: int
    chars: int


# What the embedded policy reads: its short prompt, and notes of one sentence.
TINY = Size("tiny", hits=3, notes=1, chars=240)
# What a large model reads: the full prompt, and passages as long as those of real collections.
FULL = Size("", hits=20, notes=30, chars=1500)


def make_hits(size: Size) -> list[Hit]:
    """Passages made of a generated company's notes, no note twice."""
    texts = _notes(size.hits * size.notes)
    passages = ("\n".join(texts[start : start + size.notes]) for start in range(0, len(texts), size.notes))
    return [
        Hit(number, f"note{number}.md", f"note{number}", passage[: size.chars], 1.0)
        for number, passage in enumerate(passages, 1)
    ]


def _notes(count: int) -> Sequence[str]:
    with tempfile.TemporaryDirectory() as folder:
        write_notes(make_world(0), Path(folder))
        files = sorted(file for file in Path(folder).rglob("*") if file.is_file())
        return [file.read_text(encoding="utf-8").strip() for file in files[:count]]
