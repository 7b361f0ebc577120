"""A passage as it is shown: one that a search found, or one that an answer cites."""

from __future__ import annotations

from dataclasses import dataclass

from karl.control.events import Citation, Cited, Hit


@dataclass(frozen=True, slots=True)
class Passage:
    """chunk_id None: only its key is known. score: of the search that found it."""

    key: str
    title: str
    page: int | None
    text: str
    chunk_id: int | None = None
    score: float | None = None

    @property
    def place(self) -> str:
        return f"{self.key} p.{self.page}" if self.page else self.key


def passage_of(found: Hit | Citation | Cited) -> Passage:
    match found:
        case Hit():
            return Passage(found.key, found.title, found.page, found.text, found.chunk_id, found.score)
        case Citation():
            return Passage(found.key, found.title, found.page, found.text, found.chunk_id)
        case Cited():
            return Passage(found.key, found.title, found.page, found.text)
