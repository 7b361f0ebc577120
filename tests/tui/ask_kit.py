"""A corpus to ask about, a second checkpoint, and models that a script plays in the process that answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from karl.tiny import POLICY_FOLDER
from store.models import Checkpoint
from store.queries import save_checkpoint
from store.session import Store
from store.types import Algorithm
from tests.karl.control.played import MODULE
from tui.screens.ask import AskScreen
from tui.widgets.question_input import QuestionInput

QUESTION = "where does mira work?"


def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that holds the models is that of the tests."""
    monkeypatch.setattr("karl.control.answerer.MODULE", MODULE)


def add_checkpoint(store: Store, folder: Path, *, name: str) -> None:
    """Other weights than those that ship, as far as their hash goes."""
    shutil.copytree(POLICY_FOLDER, folder)
    for file in folder.glob("*.safetensors"):
        file.write_bytes(file.read_bytes() + name.encode())
    with store.session() as session:
        save_checkpoint(session, Checkpoint(name=name, algorithm=Algorithm.OAPL, path=str(folder)))


def write(pilot: Pilot[None], text: str) -> None:
    """Into the line of the question, as typing does."""
    room = pilot.app.screen
    assert isinstance(room, AskScreen)
    line = room.query_one(QuestionInput)
    line.focus()
    line.value = text
