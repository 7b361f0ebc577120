"""What an interface asks of a process that answers. Systems are named as in the arena: `CHECKPOINT[:graph=NAME]...`."""

from __future__ import annotations

from dataclasses import dataclass

from karl.settings import Settings

# In place of a checkpoint: what `karl ask` would take, the newest that was trained on the corpus, or the chat endpoint.
NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Open:
    """The first, and once. Not in the command line of the process, which everyone could read: keys are in here."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class Load:
    """Have these in memory. Ends with Ready or Failed."""

    systems: tuple[str, ...]
    corpus: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to one system. Ends with Answered or Failed."""

    system: str
    corpus: str
    question: str
    seed: int


@dataclass(frozen=True, slots=True)
class Compare:
    """One question to several systems: a battle of the arena. Ends with Compared or Failed; cancelled, none is stored.

    seed None: drawn.
    """

    systems: tuple[str, ...]
    corpus: str
    question: str
    blind: bool
    seed: int | None


@dataclass(frozen=True, slots=True)
class Vote:
    """On a battle: a letter, tie or none. Ends with Compared, which tells the names, or Failed."""

    battle: str
    choice: str
    note: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up what is under way, which then ends with Failed; the models stay."""


Request = Open | Load | Ask | Compare | Vote | Cancel
