"""Every script of `examples/` runs as a user would run it: offline, in seconds, with the policy that ships."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.karl.kit import environment

EXAMPLES = Path(__file__).parent.parent / "examples"
# What each must print. The answers are the policy's business; that it searched and ended is ours.
SAID = {
    "ask.py": (r"the notes say: \w+", r"\[note-\d+\.md\]", r"\d+ searches, \d+\.\d\d s, trace ask/\w+"),
    "stream.py": (r"<search>", r"-- searching for '", r"note-\d+\.md#\d+: ", r"-- .+ \(\d+ tokens sampled\)"),
    "batch.py": (r"(?m)^Wh.*expected \w+", r"([5-9]|1\d) of 12 right, \d+ searches"),
    "own_graph.py": (
        r"<karl graph loud_solver \w{12}",
        r"\? [A-Z][A-Z ]+ \(expected",
        r"at most [12] passages a search",
    ),
    "own_searcher.py": (r"(?m)^\S.*\n  facts#\d: ",),
    "aggregate.py": (r"attempt 1 of 5: ", r"attempt 5 of 5: ", r"turns in all, last attempt \d"),
    "langchain_parts.py": (
        r"\? \(\d+ tokens of",
        r"(?m)^<search>.*\|",  # how many tokens come at once depends on who is faster
        r"vector_search \{'query': '.+'\} found [1-3] passages:\n\[1\] ",
        r"\(expected \w+\)",
    ),
    "read_trace.py": (r"graph solver \w{12}", r"search: .*<search>", r"segment: \d+ tokens, \d+ of them sampled"),
}
HELPERS = {"company.py", "shout.py"}


def test_no_example_is_forgotten() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts == SAID.keys() | HELPERS
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in told for name in SAID)


def test_an_example_is_a_program(tmp_path: Path) -> None:
    script = str(EXAMPLES / "ask.py")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_said("ask.py", done.stdout, done.stderr, folder=tmp_path)


@pytest.mark.parametrize("name", [name for name in SAID if name != "ask.py"])
def test_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: to import torch for each would take longer than all of them run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for variable in [variable for variable in os.environ if variable.startswith("KARL_")]:
        monkeypatch.delenv(variable)
    capsys.readouterr()
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:
        for helper in HELPERS:
            sys.modules.pop(helper.removesuffix(".py"), None)
    said = capsys.readouterr()
    assert_said(name, said.out, said.err, folder=tmp_path)


def assert_said(name: str, out: str, err: str, *, folder: Path) -> None:
    for pattern in SAID[name]:
        assert re.search(pattern, out), f"{pattern!r} is not in:\n{out}"
    assert "Traceback" not in err
    assert not any(folder.iterdir())  # nothing is left where the user stood
