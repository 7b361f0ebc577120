"""`karl eval` in processes of its own: interrupted and continued; FogBench by the embedded policy."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from evals.report.document import EvaluationDocument
from tests.karl.eval_kit import ASKED, make_home, rollouts
from tests.karl.kit import command, environment, spawn

SLOW = """
import time, pathlib
def answer(question):
    with pathlib.Path("calls.txt").open("a") as file:
        file.write(question + "\\n")
    time.sleep(0.15)
    return "person0"
"""


def test_interrupted_and_continued_asks_nothing_twice(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    given = ("--home", home, "eval", "slow:answer", *ASKED[:4], "--samples", 12, "--concurrency", 2, "--json")
    with subprocess.Popen(command(*given), cwd=tmp_path, env=environment(), text=True, stderr=subprocess.PIPE) as run:
        calls = tmp_path / "calls.txt"
        until = time.monotonic() + 60
        while not (calls.exists() and calls.read_text().count("\n") >= 3) and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "stopped; everything finished is stored, and the same command goes on from here" in said
    held = {row.key: row.id for row in rollouts(home)}
    assert 3 <= len(held) < 36
    ended = spawn(*given, cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = EvaluationDocument.model_validate_json(ended.out)
    assert found.systems[0].figures.tasks["custom"].scored == 36
    rows = {row.key: row.id for row in rollouts(home)}
    assert held.items() <= rows.items() and len(rows) == 36
    assert calls.read_text().count("\n") == 36


@pytest.mark.slow
def test_fogbench_by_the_embedded_policy_offline(tmp_path: Path) -> None:
    given = ("--home", tmp_path / "home", "eval", "embedded", "--suite", "fogbench", "--limit", 12, "--samples", 2)
    ended = spawn(*given, "--fog", "hops=1", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = EvaluationDocument.model_validate_json(ended.out)
    (task,), (system,) = found.tasks, found.systems
    assert (task.questions, task.complete, task.corpus.documents, task.corpus.embedder) == (12, False, 600, "none")
    assert "vocabulary small" in task.notes[0]
    assert len(system.figures.tasks["fogbench"].splits) == 6
    assert system.figures.behaviour is not None and system.figures.behaviour.rollouts == 24
    assert system.figures.behaviour.recall is not None and system.figures.behaviour.recall.rollouts == 24
    assert system.figures.tasks["fogbench"].score is not None and len(system.entry.sha256) == 64
    # The policy was taught with these figures; the task's k would not fit its window.
    assert (system.entry.graphs["fogbench"].k, system.entry.graphs["fogbench"].steps) == (3, 6)
    behaviour = spawn("--home", tmp_path / "home", "behaviour", found.name, "--json", cwd=tmp_path)
    assert json.loads(behaviour.out)["arms"]["embedded"]["rollouts"] == 24
    again = spawn(*given, "--fog", "hops=1", "--json", cwd=tmp_path)
    assert EvaluationDocument.model_validate_json(again.out).questions == found.questions
