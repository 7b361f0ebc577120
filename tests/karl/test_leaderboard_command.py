"""`karl leaderboard` as a user calls it; and the hash that a board recomputes is the one that `karl eval` makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.leaderboard.identity import identity_sha256
from evals.report.document import read_document
from karl.evaluations.identity import document_sha256
from tests.karl.kit import REPOSITORY, call

DOCUMENT = REPOSITORY / "docs" / "reports" / "fogbench-embedded.json"


def test_make_check_add_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, board = tmp_path / "mine.json", tmp_path / "board"
    ended = call(
        capsys, "--home", tmp_path, "leaderboard", "make", DOCUMENT, "--organisation", "Us", "--system",
        "karl-tiny 0.1", "--link", "code=https://example.org/karl", "--weights", "open", "--code", "open",
        "--hold", "labels",
        "--out", out,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "Dora Baker" not in out.read_text()
    checked = call(capsys, "leaderboard", "check", out)
    assert (checked.code, checked.out) == (0, f"{out}: karl-tiny 0.1, figures recomputed: may be added\n")
    assert call(capsys, "leaderboard", "add", board, out).code == 0
    page = call(capsys, "leaderboard", "show", board)
    assert "| 1 | [karl-tiny 0.1](https://example.org/karl) | Us |" in page.out
    held = json.loads(call(capsys, "leaderboard", "show", board, "--json").out)
    assert held["tables"][0]["entries"][0]["system"] == "karl-tiny 0.1"


def test_mistakes_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = call(capsys, "leaderboard", "show", tmp_path / "none")
    assert (missing.code, missing.err.startswith(f"karl: {tmp_path}/none: no such folder; `karl leaderboard add")) == (
        2,
        True,
    )
    (tmp_path / "bad.json").write_text('{"version": 1}')
    bad = call(capsys, "leaderboard", "check", tmp_path / "bad.json")
    assert bad.code == 2
    assert f"{tmp_path}/bad.json: organisation: is missing; `karl leaderboard make EVALUATION ...` writes" in bad.err
    made = call(
        capsys, "leaderboard", "make", DOCUMENT, "--organisation", "Us", "--link", "x", "--weights", "open", "--code",
        "open", "--out", tmp_path / "x.json",
    )  # fmt: skip
    assert made.code == 2
    assert "--link 'x': write NAME=https://" in made.err


def test_a_mistake_leaves_the_file_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.json"
    out.write_text("an earlier one")
    given = ("--organisation", "Us", "--weights", "open", "--code", "open", "--out", out, "--note", "x" * 501)
    ended = call(capsys, "--home", tmp_path, "leaderboard", "make", DOCUMENT, *given)
    assert ended.code == 2 and "note: String should have at most 500 characters" in ended.err
    assert out.read_text() == "an earlier one"


def test_the_hash_is_the_one_of_karl_eval() -> None:
    made = read_document(DOCUMENT)
    task, entry = made.tasks[0], made.systems[0].entry
    graph = entry.graphs[task.name]
    own = {"items": task.items_sha256, "corpus": task.corpus.sha256, "embedder": task.corpus.embedder}
    setup = {"tasks": {task.name: own}, "samples": 4, "temperature": None, "seed": 0}
    prompts = [graph.prompt_sha256[name] for name in sorted(graph.prompt_sha256)]
    identity = {
        "kind": "checkpoint", "name": "", "sha256": entry.sha256, "url": "",
        "graphs": {task.name: [graph.sha256, *prompts]},
    }  # fmt: skip
    found = document_sha256(setup, {"embedded": identity}, made.settings.judge, threshold=0.6)
    assert found == identity_sha256(made) == made.sha256
