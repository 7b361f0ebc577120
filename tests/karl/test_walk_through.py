"""The walk-through of docs/graphs.md, word for word in a fresh folder: its files, its commands."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from tests.karl.kit import REPOSITORY, Ended, call, small_company

PAGE = (REPOSITORY / "docs" / "graphs.md").read_text(encoding="utf-8")
STEPS = re.split(r"^## ", PAGE.partition("## Walk-through")[2], maxsplit=1, flags=re.MULTILINE)[0]
FENCES = re.findall(r"^( *)```(\w+)(?: (\S+))?\n(.*?)^\1```$", STEPS, re.DOTALL | re.MULTILINE)
FILES = {name: textwrap.dedent(text) for _, _, name, text in FENCES if name}
COMMANDS = [
    command.strip()
    for text in [*re.findall(r"`(karl [^`\n]+)`", STEPS), *(text for _, kind, _, text in FENCES if kind == "sh")]
    for line in text.strip().splitlines()
    for command in line.split("&&")
]


def follow(command: str, notes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ended:
    program, *arguments = shlex.split(command.replace("~/notes", str(notes)))
    if program == "cd":
        monkeypatch.chdir(arguments[0])
        for name, text in FILES.items():
            Path(name).write_text(text, encoding="utf-8")
        return Ended(0, "", "")
    assert program == "karl"
    return call(capsys, *arguments)


def test_every_step_works(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    notes, _ = small_company(tmp_path / "company")
    monkeypatch.chdir(tmp_path)
    ended = {command: follow(command, notes, capsys, monkeypatch) for command in COMMANDS}
    *others, asked = ended
    assert len(others) == 6 and [command for command in others if ended[command].code != 0] == []
    assert re.search(r"[│|] verify +[│|◀<]", ended["karl graph show verified --ascii"].out)
    # The shipped policy may end without an answer to a question about another company: 1, and it says so.
    assert ended[asked].code in (0, 1) and "search: " in ended[asked].err + ended[asked].out


def test_it_makes_the_example() -> None:
    folder = REPOSITORY / "examples" / "verified_solver"
    assert FILES["prompts/verify.md"] == (folder / "prompts" / "verify.md").read_text(encoding="utf-8")
    ours = (folder / "graphs" / "solver.yaml").read_text(encoding="utf-8")
    assert FILES["graphs/verified.yaml"].partition("nodes:")[2] == ours.partition("nodes:")[2]
