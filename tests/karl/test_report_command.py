"""`karl report` as a user calls it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evals.report.document import read_document
from store import queries
from store.queries import RolloutLinks
from store.session import Store
from tests.evals.behaviour_kit import answer, rollout, search
from tests.karl.kit import REPOSITORY, call

DOCUMENT = REPOSITORY / "docs" / "reports" / "fogbench-embedded.json"


def test_a_kept_evaluation_is_reported_by_name_and_with_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    document = read_document(DOCUMENT)
    kept = home / "evaluations" / f"{document.sha256[:16]}.json"
    kept.parent.mkdir(parents=True)
    shutil.copy(DOCUMENT, kept)
    failed = document.questions[0].systems["embedded"][0].rollout
    store = Store.open(f"sqlite:///{home}/karl.db")
    with store.session() as session:
        record = rollout(search("a <b>query</b>"), answer("Quill"), key=failed)
        queries.save_rollouts(session, [(record, RolloutLinks())])
    store.close()
    page = tmp_path / "out" / "page.html"
    ended = call(capsys, "--home", home, "report", document.name, "--html", page, "--traces", "28")
    assert ended.code == 0, ended.err
    assert "27 of 28 traces are not in the store" in ended.err
    text = page.read_text(encoding="utf-8")
    assert text.count('<details class="trace">') == 1
    assert "<q>a &lt;b&gt;query&lt;/b&gt;</q>" in text


def test_without_a_file_to_write_the_markdown_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = call(capsys, "--home", tmp_path, "report", DOCUMENT)
    assert (ended.code, ended.out) == (0, DOCUMENT.with_suffix(".md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no evaluation 'nothing': no such file, and none is kept in"),
        ([DOCUMENT, DOCUMENT], "is given twice; give every one once"),
        ([DOCUMENT.with_suffix(".md")], "fogbench-embedded.md: document: Invalid JSON"),
        ([DOCUMENT, "--traces", "2"], "give --html FILE too"),
        ([DOCUMENT, "--html", "/dev/null/x.html"], "/dev/null/x.html: cannot write the report"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[object], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ended = call(capsys, "--home", tmp_path, "report", *arguments)
    assert ended.code == 2
    assert said in ended.err
