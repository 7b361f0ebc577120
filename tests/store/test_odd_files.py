"""One odd file costs itself: it is skipped with its reason, the others are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from store.chunking.code import code_sections
from store.chunking.sentences import sentences
from store.chunking.split import sections
from store.corpus import IngestReport, ingest
from store.readers.base import clean
from store.session import Store


def ingested(store: Store, folder: Path) -> IngestReport:
    (folder / "plain.txt").write_text("A plain file beside it.")
    return ingest(store, folder, name="odd")


@pytest.mark.parametrize("value", ["2024-02-30", "2024-01-01 25:00:00", "9" * 5_000, "[" * 2_000], ids=len)
def test_front_matter_that_no_value_comes_from_is_text(store: Store, tmp_path: Path, value: str) -> None:
    (tmp_path / "note.md").write_text(f"---\nwhen: {value}\n---\nThe note.")
    report = ingested(store, tmp_path)
    assert (report.documents, [problem.path for problem in report.problems]) == (2, ["note.md"])
    assert report.problems[0].reason.startswith("front matter: unreadable YAML")


def test_a_file_that_breaks_its_reader_is_skipped(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selectolax import lexbor

    def broken(_: str) -> None:
        raise ZeroDivisionError("no such tag")

    monkeypatch.setattr(lexbor, "LexborHTMLParser", broken)
    (tmp_path / "page.html").write_text("<p>text</p>")
    report = ingested(store, tmp_path)
    assert dict(report.skipped)["page.html"] == "unreadable: ZeroDivisionError: no such tag"
    assert report.documents == 1


def test_links_to_folders_and_what_is_no_file_are_named(store: Store, tmp_path: Path) -> None:
    folder, other = tmp_path / "corpus", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (other / "far.txt").write_text("Elsewhere.")
    (folder / "linked").symlink_to(other)
    (folder / "device.txt").symlink_to("/dev/zero")
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jsonl")
    reasons = dict(ingested(store, folder).skipped)
    assert reasons["linked"].startswith("a link to a folder is not followed")
    assert reasons["device.txt"] == reasons["pipe.jsonl"] == "no regular file (a pipe, a device or a socket)"
    assert reasons["gone.txt"] == "unreadable: No such file or directory"


def test_a_file_named_as_a_line_of_another_is_a_problem(store: Store, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"id": "x.md", "text": "a line"}\n')
    (tmp_path / "d.jsonl#x.md").write_text("a file")
    for added in (2, 0):
        report = ingested(store, tmp_path)
        assert (report.documents, report.added, report.changed) == (2, added, 0)
        assert [problem.path for problem in report.problems] == ["d.jsonl#x.md"]


MANY = 300_000


def test_long_runs_take_no_time_that_grows_with_their_square() -> None:
    """Each of these would take minutes."""
    assert clean("a" + " " * MANY + "b") == "a" + " " * MANY + "b"
    assert sections("# a" + " #" * MANY)[0].headings == ("a",)
    assert len(sentences("Mr. A " * MANY)) == 1
    assert code_sections("a::" * MANY)[0].headings == ()
