"""`karl eval` given something wrong: told before anything runs, with the mend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from evals.items import Nugget
from evals.report.document import EvaluationDocument
from karl.evaluations.questions import read_items
from tests.evals.task_data import DATA
from tests.karl.eval_kit import ASKED, default_lines, make_home, rollouts, write_questions
from tests.karl.kit import call


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return make_home(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", *ASKED), "no system 'nobody': it is a checkpoint's or run's name in the store"),
        (("mine:leadr", *ASKED), "has no attribute 'leadr'"),
        (("mine:NUMBER", *ASKED), "is no function but int"),
        (("http://me:secret@127.0.0.1:9/v1#m", *ASKED), "'http://127.0.0.1:9/v1#m': a key does not belong into"),
        (("http://127.0.0.1:9/v1", *ASKED), "which model? write http://127.0.0.1:9/v1#MODEL"),
        (("http://127.0.0.1:9/v1#m", *ASKED), "endpoint http://127.0.0.1:9/v1: no answer"),
        (("mine:leader",), "give either --suite"),
        (("mine:leader", "--questions", "questions.jsonl"), "--questions needs --corpus"),
        (("mine:leader", "--questions", "no.jsonl", "--corpus", "notes"), "no.jsonl: the questions cannot be read"),
        (("mine:leader", "--questions", "questions.jsonl", "--corpus", "x"), "run `karl ingest PATH --name x`"),
        (("mine:leader", "--suite", "fogbnch"), "did you mean 'fogbench'?"),
        (("mine:leader", "--suite", "freshstack"), "freshstack: where is the data? give --data DIR"),
        (("mine:leader", "--suite", "karlbench", "--data", "."), "karl bench-data fetch browsecomp_plus --to"),
        (
            ("mine:leader", "--suite", "fogbench", "--data", "none"),
            "none: no such folder; `karl fogbench make --out none`",
        ),
        (("mine:leader", "--suite", "fogbench", "--fog", "hop=2"), "settings: seed, size, regimes"),
        (("mine:leader", *ASKED, "--judge", "x"), "--judge 'x': write `rule`, or http(s)://.../v1#MODEL"),
        (("mine:leader", *ASKED, "--prices", "none.toml"), "none.toml: cannot read the prices"),
        (("embedded", *ASKED, "--graph", "solvr"), "solvr"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    capsys: pytest.CaptureFixture[str], home: Path, arguments: tuple[object, ...], message: str
) -> None:
    ended = call(capsys, "--home", home, "eval", *arguments)
    assert ended.code in (1, 2) and message in ended.err
    assert rollouts(home) == []


def test_a_name_holds_one_evaluation(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    made = call(capsys, "--home", home, "eval", "mine:leader", *ASKED, "--name", "own", "--json")
    assert EvaluationDocument.model_validate_json(made.out).name == "own"
    ended = call(capsys, "--home", home, "eval", "mine:leader", *ASKED, "--name", "own", "--seed", 3)
    assert ended.code == 2 and "run 'own' is an evaluation with other seed" in ended.err


def test_missing_corpora_and_data_name_the_commands(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    DATA["freshstack"](home.parent / "data" / "freshstack")
    ended = call(capsys, "--home", home, "eval", "mine:leader", "--suite", "freshstack", "--data", "data")
    assert ended.code == 2
    assert "no corpus 'freshstack' in this store; run `karl bench-data corpus freshstack --from data/fr" in ended.err
    assert rollouts(home) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"question": "q?"}, ":2: an answer or nuggets are needed to judge by; add one of them"),
        ({"question": "q?", "anser": "a"}, ":2: unknown key 'anser'; did you mean 'answer'?"),
        ({"question": "", "answer": "a"}, ":2: key 'question': String should have at least 1 character"),
        ({"question": "q?", "answer": "a", "key": "product0"}, "'product0' is that of line 1 too; give another"),
        ({"question": " \n", "answer": "a"}, ":2: key 'question': String should have at least 1 character"),
        ({"question": "q?", "nuggets": [{"txt": "a"}]}, ":2: key 'nuggets.0.text': Field required"),
        ({"question": "q?", "nuggets": ["a", " "]}, ":2: key 'nuggets.1.text': String should have at least 1"),
        ({"question": "q?", "nuggets": ["a", None]}, ":2: key 'nuggets.1': Input should be a valid dictionary"),
        ({"question": "q?", "nuggets": [{"text": "a", "aliases": [""]}]}, ":2: key 'nuggets.0.aliases.0': String"),
    ],
)
def test_wrong_questions_name_line_key_and_mend(
    capsys: pytest.CaptureFixture[str], home: Path, line: dict[str, Any], message: str
) -> None:
    write_questions(home.parent / "questions.jsonl", default_lines()[0], line)
    ended = call(capsys, "--home", home, "eval", "mine:leader", *ASKED)
    assert ended.code == 2 and "questions.jsonl:2: " in ended.err and message in ended.err


def test_questions_are_lines_whatever_their_texts_hold(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    line = '{"key": 7, "question": "one\u2028two\x85three? ", "answer": 1987, '
    line += '"nuggets": [1987, {"text": "b", "aliases": [3]}]}'
    path.write_text(f"\ufeff{line}\r\n\n{line.replace('7,', '8,', 1)}\n", encoding="utf-8", newline="")
    first, second = read_items(path)
    assert (first.key, second.key, first.reference) == ("7", "8", "1987")
    assert first.question == "one\u2028two\x85three?"
    assert first.nuggets == (Nugget(text="1987"), Nugget(text="b", aliases=("3",)))
