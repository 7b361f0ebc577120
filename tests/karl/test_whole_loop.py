"""The command line end to end with the embedded policy: a folder of Markdown in; questions, training, an answer out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from karl.tiny.world import make_world, questions
from tests.karl.kit import POLICY, SMALL, call, pairs, small_company

SEED = 77


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    notes, _ = small_company(tmp_path, seed=SEED)
    assert call(capsys, "ingest", notes, "--name", "notes", "--embedder", "none").code == 0
    return tmp_path


def test_ask_cites_the_chunks_that_it_read(company: Path, capsys: pytest.CaptureFixture[str]):
    asked = questions(make_world(SEED), count=12, seed=SEED)
    replies = []
    for question in asked[:6]:
        ended = call(capsys, "ask", "notes", question.text, "--checkpoint", POLICY, "--json")
        replies.append(json.loads(ended.out))
        assert ended.code == (1 if replies[-1]["failure"] else 0), ended.err
    answered = [reply for reply in replies if reply["answer"]]
    assert len(answered) >= 3
    cited = [reply for reply in answered if reply["citations"]]
    assert cited, "no answer cites anything"
    for reply in cited:
        shown = {chunk for step in reply["steps"] for chunk in step["hits"]}
        for citation in reply["citations"]:
            assert citation["chunk"] in shown
            path = company / "notes" / citation["key"].split("#")[0]
            assert citation["text"].split()[-1] in path.read_text(encoding="utf-8")
    plain = call(capsys, "ask", "notes", cited[0]["question"], "--checkpoint", POLICY, "--trace")
    lines = plain.out.splitlines()
    assert lines[0].startswith("search: ")
    assert cited[0]["answer"] in lines
    first = cited[0]["citations"][0]
    assert any(line.startswith(f"  [{first['chunk']}] {first['key']}: ") for line in lines)
    assert lines[-1].endswith(f"checkpoint {POLICY})")


@pytest.mark.slow
def test_a_folder_without_questions_holds_some_out_and_trains(company: Path, capsys: pytest.CaptureFixture[str]):
    settings = pairs({**SMALL, "sft_control": "true", "eval_temperatures": "[0.5]"})
    ended = call(capsys, "run", "--corpus", "notes", "--base", POLICY, *settings, "--json")
    assert ended.code == 0, ended.err
    summary = json.loads(ended.out)
    assert summary["state"] == "done"
    (iteration,) = summary["iterations"]
    reached = list(iteration["counts"].values())
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] > 0
    arms = [row["arm"] for row in summary["evaluation"]]
    assert arms == ["base", "base@0.5", "oapl-1", "sft-1", "oapl-1@0.5", "sft-1@0.5"]
    assert all(row["questions"] == SMALL["held_out"] for row in summary["evaluation"])
    assert summary["training"]["oapl-1"]["drift_mean"] < 1e-3
    assert {row["name"] for row in summary["checkpoints"]} == {"notes-1/base", "notes-1/oapl-1", "notes-1/sft-1"}
    assert str(company / ".karl") in str(Path(summary["checkpoints"][1]["path"]).resolve())
    again = call(capsys, "ask", "notes", "who leads it?", "--json")
    assert json.loads(again.out)["checkpoint"].endswith("oapl-1")
    assert sorted(path.name for path in company.iterdir()) == [".karl", "notes", "questions.jsonl"]
