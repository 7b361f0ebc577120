"""The hash of a function that is handed in: another where another answer may come of it, the same in every process."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from karl.evaluations.source import function_sha256

MODULE = """
import re
LEADER = "Mira"
WORDS = re.compile("a")
def helper(question): return LEADER
def answer(question): return helper(question) if question in {"a", "b", "c"} else WORDS.pattern
class Agent:
    def __init__(self, model): self.model = model
    def __call__(self, question): return self.model + helper(question)
"""


def hashes(source: str) -> tuple[str, str]:
    """Of the module's function, and of an agent."""
    names: dict[str, Any] = {"__name__": "mine"}
    exec(compile(source, "mine.py", "exec", dont_inherit=True), names)
    return function_sha256(names["answer"]), function_sha256(names["Agent"]("m"))


def test_whatever_of_its_module_a_function_uses_counts() -> None:
    answer, agent = hashes(MODULE)
    for old, new in (('"Mira"', '"Ann"'), ("return LEADER", "return LEADER + question")):
        changed = hashes(MODULE.replace(old, new))
        assert changed[0] != answer and changed[1] != agent
    assert hashes(MODULE.replace("self.model + ", ""))[1] != agent
    assert hashes(MODULE.replace("self.model + ", ""))[0] == answer
    assert hashes(MODULE.replace("def helper", "# a word\n\ndef helper")) == (answer, agent)


def test_state_defaults_and_bound_arguments_count() -> None:
    class Agent:
        def __init__(self, model: str) -> None:
            self.model = model

        def answer(self, question: str) -> str:
            return self.model

    def plain(question: str, k: int = 1) -> str:
        return question * k

    made: list[Callable[[str], str]] = [
        *(Agent(name).answer for name in "ab"),
        *(functools.partial(plain, k=k) for k in (1, 2)),
        plain,
    ]
    assert len({function_sha256(one) for one in made}) == len(made)
    assert function_sha256(Agent("a").answer) == function_sha256(Agent("a").answer)


def test_a_function_that_calls_itself() -> None:
    def again(question: str) -> str:
        return again(question)

    assert function_sha256(again) == function_sha256(again)


def test_the_hash_is_the_same_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    script = "import mine, karl.evaluations.source as s; print(s.function_sha256(mine.answer))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == hashes(MODULE)[0]
