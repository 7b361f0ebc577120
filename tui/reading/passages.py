"""A passage as it is shown: one that a search found, or one that an answer cites."""

from __future__ import annotations

from dataclasses import dataclass

from karl.control.events import Citation, Cited, Hit


@dataclass(frozen=True, slots=True)
class Passage:
    """chunk_id None: only its key is known. page: 1-based, PDFs only. score: of the search that found it."""

    key: str
    title: str
    page: int | None
    text: str
    chunk_id: int | None = None
    score: float | None = None

    @property
    def place(self) -> str:
        return f"{self.key}, page {self.page}" if self.page is not None else self.key


def passage_text(passage: Passage) -> str:
    return "\n".join(filter(None, [passage.place, passage.title, "", passage.text]))


def passage_of(found: Hit | Citation | Cited) -> Passage:
    match found:
        case Hit():
            return Passage(found.key, found.title, found.page, found.text, found.chunk_id, found.score)
        case Citation():
            return Passage(found.key, found.title, found.page, found.text, found.chunk_id)
        case Cited():
            return Passage(found.key, found.title, found.page, found.text)
