"""Cut long text near `max_chars`: at headings, else paragraphs, lines, sentences, words, and last anywhere."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from store.scripts import END_MARKS

_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*)$")
_FENCE = re.compile(r"^\s*(```|~~~)")
# From coarse to fine; each keeps the separator with the piece before it.
_SEPARATORS = (r"(?<=\n\n)", r"(?<=\n)", r"(?<=[.!?]) ", rf"(?<=[{END_MARKS}])", r" ")


class Section(NamedTuple):
    """headings: the path of headings above and of the section, outermost first."""

    headings: tuple[str, ...]
    text: str


def split_text(text: str, *, max_chars: int, level: int = 0) -> list[str]:
    """Pieces of at most `max_chars` characters in reading order; nothing but white space is lost."""
    text = text.rstrip()
    if len(text) <= max_chars:
        return [text.strip()] if text.strip() else []
    if level == len(_SEPARATORS):
        return [text[start : start + max_chars] for start in range(0, len(text), max_chars)]
    pieces: list[str] = []
    held = ""
    for part in _parts(text, level=level):
        too_long = len(held) + len(part.rstrip()) > max_chars
        # A heading or other short lead stays with the long part after it, which is cut more finely instead.
        lead = len(held) < max_chars // 4 and len(part) > max_chars
        if held and too_long and not lead:
            pieces.extend(split_text(held, max_chars=max_chars, level=level + 1))
            held = ""
        held += part
    return pieces + split_text(held, max_chars=max_chars, level=level + 1)


def _parts(text: str, *, level: int) -> list[str]:
    separator = _SEPARATORS[level]
    parts = re.split(separator, text)
    # A separator that consumes its blank gives it back, so that joined parts are the text again.
    return [part + " " for part in parts[:-1]] + parts[-1:] if separator.endswith(" ") else parts


def sections(text: str) -> list[Section]:
    """Markdown by its ATX headings; a section's text starts with its heading. Code fences hide headings."""
    found: list[tuple[tuple[str, ...], list[str]]] = [((), [])]
    path: list[tuple[int, str]] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading and (title := heading[2].rstrip(" \t#")):
            level = len(heading[1])
            path = [held for held in path if held[0] < level] + [(level, title)]
            found.append((tuple(title for _, title in path), []))
        found[-1][1].append(line)
    return [Section(headings, "\n".join(lines).strip()) for headings, lines in found if any(map(str.strip, lines))]


def merged(parts: list[Section], *, max_chars: int) -> list[Section]:
    """Neighbouring sections joined while they fit; a joined one keeps the first one's headings."""
    joined: list[Section] = []
    for part in parts:
        if joined and len(joined[-1].text) + len(part.text) + 2 <= max_chars:
            joined[-1] = Section(joined[-1].headings, f"{joined[-1].text}\n\n{part.text}")
        else:
            joined.append(part)
    return joined


def overlapped(pieces: list[str], *, overlap: int) -> list[str]:
    """Each but the first led by the last `overlap` characters at most of the one before, from a word's start."""
    if not overlap:
        return pieces
    return pieces[:1] + [f"{tail(before, overlap)}\n{piece}".lstrip() for before, piece in pairwise(pieces)]


def tail(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    end = text[-length:]
    # A word that the cut would halve is left out.
    return end.lstrip() if text[-length - 1].isspace() else end.partition(" ")[2].lstrip()
