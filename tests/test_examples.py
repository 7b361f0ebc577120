"""Every script of `examples/` runs as a user would run it: offline, in seconds, with the policy that ships."""

from __future__ import annotations

import re
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
        r"(?m)^<search>\|",
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


@pytest.mark.parametrize("name", SAID)
def test_example(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for pattern in SAID[name]:
        assert re.search(pattern, done.stdout), f"{pattern!r} is not in:\n{done.stdout}"
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())  # nothing is left where the user stood
