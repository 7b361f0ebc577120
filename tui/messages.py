"""What widgets tell their screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from store.queries import RolloutFilter


@dataclass
class RunSelected(Message):
    """The user moved to another run."""

    run_id: int


@dataclass
class RunOpened(Message):
    """The user wants to see this run."""

    run_id: int


@dataclass
class CorpusOpened(Message):
    """The user wants to start a run of this corpus."""

    name: str


@dataclass
class FieldChanged(Message):
    """The user, or another room's wish, has changed a setting of a form."""

    name: str


@dataclass
class PieceSelected(Message):
    """The user moved to another graph or prompt."""

    key: str


@dataclass
class PieceOpened(Message):
    """The user wants to edit this graph or prompt."""

    key: str


@dataclass
class PlaceChosen(Message):
    """The user wants to see this place of the text; both from 1."""

    line: int
    column: int


@dataclass
class QuestionPut(Message):
    """The user asks the edited graph."""

    question: str


@dataclass
class RolloutsWanted(Message):
    """The user wants to see the rollouts behind a number."""

    filter: RolloutFilter
