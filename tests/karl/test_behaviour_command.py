"""`karl behaviour RUN` over a stored run: classes, recall and transitions by arm, with the limits it could find out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from karl.behaviour import run_limits
from karl.run_config import make_config
from karl.settings import load_settings
from store.models import Corpus, Task
from store.queries import RolloutLinks, create_run, save_rollouts, save_tasks
from store.session import Store
from store.types import RolloutRecord, RolloutStatus
from tests.evals.behaviour_kit import answer, rollout, search
from tests.karl.kit import call

RIGHT = rollout(search("Atlas", hits=(1,)), search("Ilse", hits=(2,)), answer("Ilse"))
CUT_OFF = rollout(*[search(f"Atlas {n}", hits=(1,)) for n in range(6)])
FAILED = replace(RIGHT, status=RolloutStatus.FAILED, answer="")


def stored(home: Path, arms: dict[str, list[tuple[RolloutRecord, float | None]]]) -> Path:
    """A run `r` with one question, whose gold chunks are 1 and 2, and these rollouts of each arm."""
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    with store.session() as session:
        corpus = Corpus(name="notes", source="notes")
        session.add(corpus)
        session.flush()
        run = create_run(
            session, name="r", corpus_id=corpus.id or 0, settings=make_config({"corpus": "notes"}).stored()
        )
        asked: dict[str, Any] = {"run_id": run.id, "iteration": 0, "corpus_id": corpus.id, "question": "?"}
        (task,) = save_tasks(session, [Task(key="r/0", answer="Ilse", citations=[1, 2], **asked)])
        save_rollouts(
            session,
            [
                (
                    replace(record, key=f"r/eval/{arm}/0/{n}"),
                    RolloutLinks(run_id=run.id, task_id=task, arm=arm, attempt=n, reward=reward),
                )
                for arm, made in arms.items()
                for n, (record, reward) in enumerate(made)
            ],
        )
    store.close()
    return home


def read(capsys: pytest.CaptureFixture[str], home: Path, *options: object) -> dict[str, Any]:
    return json.loads(call(capsys, "--home", home, "behaviour", "r", "--json", *options).out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    arms = {"base": [(RIGHT, 1.0), (CUT_OFF, 0.0), (FAILED, None)], "oapl-1": [(RIGHT, 1.0), (RIGHT, 1.0)]}
    return stored(tmp_path, arms)


def test_classes_lengths_recall_and_transitions(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    found = read(capsys, home)
    base, trained = found["arms"]["base"], found["arms"]["oapl-1"]
    assert (base["rollouts"], base["failed"], base["pass@1"]) == (2, 1, 0.5)
    assert base["classes"]["running_out_of_context"]["share"] == 0.5
    assert base["classes"]["running_out_of_context"]["examples"][0]["rollout"] == "r/eval/base/0/1"
    assert base["recall"]["recall"] == 0.75
    assert base["recall"]["accuracy"]["all"]["solved"]["mean"] == 1.0
    assert base["recall"]["accuracy"]["some"]["solved"]["mean"] == 0.0
    assert base["searches"]["most"] == 6 and trained["searches"]["most"] == 2
    assert found["transitions"]["base > oapl-1"]["matrix"]["partial"]["solved"] == 1


def test_limits_come_from_checkpoint_and_graph(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    found = read(capsys, home)
    assert found["limits"] == {
        "context_tokens": 1024,
        "steps": 6,
    }  # karl.json of the embedded policy; solver.yaml, tiny
    assert found["notes"] == [
        "3 rollouts of 'base' ran another version of the graph: their step budget may be another (--steps)",
        "2 rollouts of 'oapl-1' ran another version of the graph: their step budget may be another (--steps)",
    ]
    given = read(capsys, home, "--steps", 200, "--context-tokens", 30, "--arm", "oapl-1")
    assert given["limits"] == {"context_tokens": 30, "steps": 200}
    assert given["notes"] == [] and list(given["arms"]) == ["oapl-1"] and given["transitions"] == {}


def test_few_searches_are_early_for_a_large_budget_only(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    share = read(capsys, home)["arms"]["oapl-1"]["classes"]["giving_up_early"]["share"]
    assert share == 0.0  # 3 of 6 steps
    assert read(capsys, home, "--steps", 200)["arms"]["oapl-1"]["classes"]["giving_up_early"]["share"] == 1.0


def test_a_policy_that_is_gone_leaves_the_limits_unknown(tmp_path: Path) -> None:
    config = make_config({"corpus": "notes", "base": str(tmp_path / "gone")})
    found = run_limits(config, settings=load_settings(tmp_path))
    assert found.limits.context_tokens is None and found.limits.steps is None
    assert found.notes == [f"the run's policy {tmp_path / 'gone'} is gone, and with it what its window was"]


def test_the_table(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    lines = call(capsys, "--home", home, "behaviour", "r").out.splitlines()
    assert lines[0].strip() == "r: share of rollouts (solved among them); context of 1024 tokens, 6 steps"
    rows = {line.strip().partition("  ")[0]: line.split() for line in lines}
    assert rows["running out of context"][-3:] == ["50.0%", "(0.00)", "0.0%"]
    assert rows["recall of gold chunks"][-2:] == ["0.750", "1.000"]
    assert "base > oapl-1: 1 questions, by pass rate 1 gained, 0 lost, 0 stayed" in lines
    assert "  partial before, then 0 unsolved, 0 partial, 1 solved" in lines


def test_unknown_names_are_told(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    ended = call(capsys, "--home", home, "behaviour", "r", "--arm", "oapl-2")
    assert ended.code == 2 and "run 'r' has no arm 'oapl-2'; did you mean 'oapl-1'?" in ended.err
    assert call(capsys, "--home", home, "behaviour", "q").code == 2


def test_a_run_without_evaluation_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(capsys, "--home", stored(tmp_path, {}), "behaviour", "r")
    assert ended.code == 2 and "run 'r' has no evaluation rollouts yet; `karl show r` says how far it is" in ended.err
