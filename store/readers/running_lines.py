"""Running headers and footers: lines at the edge of many pages, page numbers in them counted along."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

EDGE = 3  # lines of a page's top and of its bottom
NUMBERED = 5  # one page in this many must have the page's number so
REPEATED = 2  # and one in this many the same words: what fewer have is the title of a chapter, and tells pages apart
FEWEST = 3  # pages
LONGEST = 200  # characters: a longer line is text
_NUMBER = re.compile(r"\d+")


class _Kind(NamedTuple):
    """A line as other pages have it. offset: of the number that `form` has a # for from the page's; None: as it is."""

    form: str
    offset: int | None

    def needed(self, pages: int) -> int:
        return max(FEWEST, pages // (REPEATED if self.offset is None else NUMBERED))


class RunningLines(NamedTuple):
    """kept: page -> the span of its lines between header and footer; forms: of what runs, # for the page's number."""

    kept: dict[int, slice]
    forms: list[str]


def running_lines(pages: Mapping[int, Sequence[str]]) -> RunningLines:
    """pages: number -> its lines in reading order. A page that would have nothing left keeps all."""
    counts = Counter(kind for number, lines in pages.items() for kind in _edge_kinds(number, lines))
    known = {kind for kind, count in counts.items() if count >= kind.needed(len(pages))}
    kept = {number: _between(number, lines, known) for number, lines in pages.items()}
    return RunningLines(kept, sorted({kind.form for kind in known}))


def _between(number: int, lines: Sequence[str], known: set[_Kind]) -> slice:
    runs = [not known.isdisjoint(_kinds(number, line)) for line in lines]
    top = next((n for n, run in enumerate(runs[:EDGE]) if not run), min(EDGE, len(runs)))
    bottom = next((n for n, run in enumerate(reversed(runs[-EDGE:])) if not run), min(EDGE, len(runs)))
    return slice(top, len(lines) - bottom) if top + bottom < len(lines) else slice(0, len(lines))


def _edge_kinds(number: int, lines: Sequence[str]) -> set[_Kind]:
    return {kind for line in (*lines[:EDGE], *lines[-EDGE:]) for kind in _kinds(number, line)}


def _kinds(number: int, line: str) -> Iterator[_Kind]:
    if len(line) > LONGEST:
        return
    folded = " ".join(line.split())
    if not _NUMBER.fullmatch(folded):
        yield _Kind(folded, None)
    for found in _NUMBER.finditer(folded):
        # Longer runs of digits are amounts and codes.
        if len(found[0]) <= 4:
            yield _Kind(f"{folded[: found.start()]}#{folded[found.end() :]}", int(found[0]) - number)
