"""`karl tui` through the command line: no terminal, bad sizes, a picture in a file."""

from __future__ import annotations

import fcntl
import gc
import os
import pty
import struct
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from store.session import Store
from tests.karl.kit import Ended, call, environment
from tests.tui.kit import filled


def in_terminal(arguments: list[str], *, wanted: str, keys: bytes, cwd: Path) -> Ended:
    """Run in a pseudo-terminal, press `keys` once `wanted` was drawn, and give back all that was."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(arguments[0], arguments, environment() | {"TERM": "xterm-256color", "LINES": "30", "COLUMNS": "100"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    drawn, pressed = b"", False
    with suppress(OSError):  # what Linux says when the other side has closed
        while part := os.read(terminal, 65_536):
            drawn += part
            if not pressed and wanted.encode() in drawn:
                os.write(terminal, keys)
                pressed = True
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return Ended(code, drawn.decode(errors="replace"), "")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".karl"


def test_without_a_terminal_it_names_what_works_without(home: Path, capsys: pytest.CaptureFixture[str]):
    ended = call(capsys, "tui")
    assert ended.code == 2
    assert "needs a terminal" in ended.err
    assert "karl show RUN" in ended.err
    assert not home.exists()


def test_karl_alone_without_a_terminal_prints_its_help(home: Path, capsys: pytest.CaptureFixture[str]):
    ended = call(capsys)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage: karl [OPTIONS]")
    assert "`karl` alone opens it too" in " ".join(ended.out.split())
    assert not home.exists()


def test_karl_alone_in_a_terminal_opens_the_interface(home: Path):
    """A real one, of 100 columns; q ends it."""
    seen = in_terminal([sys.executable, "-m", "karl"], wanted="No run yet", keys=b"q", cwd=home.parent)
    assert seen.code == 0
    assert "1 Home" in seen.out


def test_a_picture_in_a_file(home: Path, capsys: pytest.CaptureFixture[str]):
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    filled(store)
    store.close()
    ended = call(capsys, "tui", "--svg", "runs.svg", "--size", "100x40")
    assert (ended.code, ended.out) == (0, "wrote runs.svg\n")
    assert "filings-1" in Path("runs.svg").read_text(encoding="utf-8")
    ended = call(capsys, "tui", "--svg", "nowhere/runs.svg")
    assert (ended.code, "nowhere/runs.svg: cannot be written" in ended.err) == (1, True)


def test_a_bad_size(home: Path, capsys: pytest.CaptureFixture[str]):
    ended = call(capsys, "tui", "--svg", "runs.svg", "--size", "80")
    assert ended.code == 2
    assert "--size '80': give columns x rows" in ended.err


def test_unknown_rooms_and_themes_name_the_known_ones(home: Path, capsys: pytest.CaptureFixture[str]):
    ended = call(capsys, "tui", "--svg", "a.svg", "--room", "attic")
    assert (ended.code, "--room 'attic': there are home, " in ended.err) == (2, True)
    ended = call(capsys, "tui", "--svg", "a.svg", "--theme", "pink")
    assert (ended.code, "karl-contrast, karl-dark, karl-light, karl-safe" in ended.err) == (2, True)
    ended = call(capsys, "tui", "--svg", "a.svg", "--theme", "karl-light")
    assert ended.code == 0
    assert gc.isenabled()  # opening had turned it off
    assert "#e3e0d7" in Path("a.svg").read_text(encoding="utf-8").lower()
