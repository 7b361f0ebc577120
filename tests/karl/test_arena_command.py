"""`karl arena`, as it is typed: asked, voted on, shown, scored."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.karl.api_kit import make_corpus
from tests.karl.arena_kit import COLD, HOT
from tests.karl.kit import Ended, call, command, environment

QUESTION = "Where does Mira work?"
STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
BOTH = ("--system", COLD, "--system", HOT)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


def arena(capsys: pytest.CaptureFixture[str], home: Path, *arguments: object) -> Ended:
    return call(capsys, "--home", home, "arena", *arguments)


def test_ask_vote_show_board(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = arena(capsys, home, QUESTION, *BOTH, "--blind", "--seed", "3")
    assert asked.code == 0 and "embedded" not in asked.out and "temperature" not in asked.out
    assert asked.out.startswith("A\n  ") and "\nB\n  " in asked.out
    key = asked.out.split("karl arena vote ")[1].split()[0]
    assert asked.out.endswith(f"to vote: karl arena vote {key} A|B|tie|none\n")
    listed = arena(capsys, home, "show")
    assert listed.out == f"{key}  no vote yet   {QUESTION}\n"
    shown = json.loads(arena(capsys, home, "show", key, "--json").out)
    assert shown["blind"] and [column["system"] for column in shown["columns"]] == [None, None]
    voted = arena(capsys, home, "vote", key, "B", "--note", "it cites")
    assert voted.code == 0 and f"battle {key}: voted B (it cites); A was {COLD}" in voted.out
    told = json.loads(arena(capsys, home, "show", key, "--json").out)
    assert [column["system"] for column in told["columns"]] == [COLD, HOT]
    assert all(column["identity"]["weights_sha256"] for column in told["columns"])
    again = arena(capsys, home, "vote", key, "A")
    assert again.code == 2 and "has its vote" in again.err
    found = json.loads(arena(capsys, home, "board", "--json").out)
    assert [one["system"] for one in found["systems"]] == [HOT, COLD] and found["votes"]["total"] == 1
    assert "always preferred" in arena(capsys, home, "board").out


def test_the_same_seed_asks_the_same(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again = (
        json.loads(arena(capsys, home, "ask", QUESTION, *BOTH, "--seed", "5", "--json").out) for _ in range(2)
    )
    assert first["id"] != again["id"]
    told = [[(c["letter"], c["system"], c["text"]) for c in battle["columns"]] for battle in (first, again)]
    assert told[0] == told[1] and [c[1] for c in told[0]] == [COLD, HOT]


def test_an_endpoint_that_is_down_is_one_columns_trouble(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("karl.toml").write_text('[chat]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "theirs"\n')
    asked = arena(capsys, home, QUESTION, "--system", COLD, "--system", "chat", "--json")
    told = json.loads(asked.out)
    assert asked.code == 0 and [column["kind"] for column in told["columns"]] == ["answer", "failed"]
    assert "chat endpoint http://127.0.0.1:9/v1: no answer" in told["columns"][1]["text"]
    assert told["choices"] == ["A", "none"]
    refused = arena(capsys, home, "vote", told["id"], "B")
    assert refused.code == 2 and "B gave no answer" in refused.err
    nobody = arena(capsys, home, QUESTION, "--system", "chat", "--system", "chat:model=other")
    assert nobody.code == 1 and "nobody answered, there is nothing to vote on" in nobody.out


def test_wrong_calls_are_one_line_and_run_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (("bord",), "did you mean `karl arena board`?"),
        ((QUESTION, "--system", COLD), "2 to 8 systems, got 1"),
        ((QUESTION, *BOTH, "--corpus", "nots"), "no corpus 'nots'"),
        ((QUESTION, "--system", COLD, "--system", "embedded:graph=slover"), "did you mean 'solver'"),
        (("vote", "zz", "A"), "no battle 'zz'; there are: none yet"),
        (("", *BOTH), "1 to 8000 characters"),
    ):
        ended = arena(capsys, home, *arguments)
        assert ended.code == 2 and message in ended.err and ended.err.count("\n") == 1, arguments
    assert "no battles yet" in arena(capsys, home, "show").out
    assert arena(capsys, home, "board").out.startswith("0 battles")


@pytest.mark.slow
def test_in_a_terminal_columns_are_drawn_and_the_vote_is_asked_for(home: Path) -> None:
    """A pseudo-terminal: the columns live, then a choice that is none, a vote, a note, and the names."""
    leader, follower = pty.openpty()
    arguments = command("--home", home, "arena", QUESTION, *BOTH, "--blind", "--seed", "3")
    env = environment() | {"TERM": "xterm", "LINES": "40", "COLUMNS": "100"}
    program = subprocess.Popen(arguments, cwd=home.parent, env=env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    said, typed = "", ["x\n", "b\n", "short\n"]
    prompts = ["vote (A, B, tie, none", "can't be voted", "note (Enter"]
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        if not select.select([leader], [], [], 1.0)[0]:
            continue
        try:
            said += os.read(leader, 65536).decode(errors="replace")
        except OSError:  # the program has closed its end
            break
        if prompts and prompts[0] in said:
            prompts.pop(0)
            os.write(leader, typed.pop(0).encode())
    assert program.wait(timeout=20) == 0, said
    os.close(leader)
    before, after = STYLES.sub("", said).split("vote (A, B", 1)
    assert "╭─ A ─" in before and "─ B ─" in before and "embedded" not in before
    assert "voted B (short); A was embedded; B was embedded:temperature=1" in after


def test_help_loads_no_engine() -> None:
    code = "import sys; from karl.cli import karl; karl(['arena', '--help'], standalone_mode=False); "
    code += "assert not {'torch', 'aiohttp', 'numpy', 'sqlmodel'} & set(sys.modules), 'heavy'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "scoreboard" not in done.stderr and "board" in done.stdout, done.stderr
