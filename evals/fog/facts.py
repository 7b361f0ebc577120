"""What a generated company is: facts, each stated by one document, and the documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Fact:
    """`relation` of `subject` is `object`, says `document`. Of one relation and subject the newest statement counts."""

    relation: str
    subject: str
    object: str
    document: str
    date: date
    alias_used: bool = False
    """The document calls the subject by its other name, which another document explains."""


@dataclass(frozen=True, slots=True)
class Document:
    """`key`: its path in the documents' folder, which is what `EvalItem.gold` names."""

    key: str
    title: str
    body: str

    @property
    def text(self) -> str:
        return f"---\ntitle: {self.title}\n---\n\n{self.body}\n"


def spoken(day: date) -> str:
    """`4 March 2024`; strftime's month would follow the locale."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
