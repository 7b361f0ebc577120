"""The document behind a passage, and the command that shows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from karl.control.sources import Opening, Source, opening, source_of, start
from store.errors import KarlError
from store.models import Chunk, Corpus, Document
from store.session import Store


def a_chunk(store: Store, source: Path, path: str, *, kind: str = "markdown", page: int | None = None) -> int:
    """Id of a chunk of the document `path` of a corpus over `source`."""
    with store.session() as session:
        corpus = Corpus(name=f"corpus of {path}", source=str(source))
        session.add(corpus)
        session.flush()
        document = Document(corpus_id=corpus.id or 0, path=path, kind=kind, sha256="")
        session.add(document)
        session.flush()
        of_both = {"corpus_id": corpus.id or 0, "document_id": document.id or 0}
        chunk = Chunk(**of_both, key=f"{path}#0", ordinal=0, page=page, text="Mira leads.", sha256="")
        session.add(chunk)
        session.flush()
        return chunk.id or 0


def programs(folder: Path, *names: str) -> dict[str, str]:
    """An environment with a display, on whose path these are all that there is."""
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder), "DISPLAY": ":0"}


def test_a_document_of_a_folder_of_one_file_and_of_a_file_of_many(store: Store, tmp_path: Path):
    (tmp_path / "all.jsonl").write_text("{}")
    (tmp_path / "a#b.jsonl").write_text("{}")
    folder = a_chunk(store, tmp_path, "notes/mira.md")
    alone = a_chunk(store, tmp_path / "all.jsonl", "all.jsonl#line-3", kind="jsonl")
    hash_in_name = a_chunk(store, tmp_path, "a#b.jsonl#7", kind="jsonl")
    found = [source_of(store, chunk) for chunk in (folder, alone, hash_in_name)]
    assert [source and source.path for source in found] == [
        tmp_path / "notes/mira.md",
        tmp_path / "all.jsonl",
        tmp_path / "a#b.jsonl",
    ]
    assert source_of(store, 999) is None


def test_a_page_is_part_of_the_place(store: Store, tmp_path: Path):
    source = source_of(store, a_chunk(store, tmp_path, "report.pdf", kind="pdf", page=7))
    assert source == Source(tmp_path / "report.pdf", 7, "pdf")
    assert source.place == f"{tmp_path}/report.pdf, page 7"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS opens with `open`")
@pytest.mark.parametrize(
    ("installed", "command"),
    [
        (("evince", "xdg-open"), ["evince", "--page-index=7", "FILE"]),
        (("zathura", "xdg-open"), ["zathura", "--page=7", "FILE"]),
        (("mupdf",), ["mupdf", "FILE", "7"]),
        (("xdg-open",), ["xdg-open", "FILE"]),
        (("gio",), ["gio", "open", "FILE"]),
        (("less",), None),  # a PDF is nothing for a terminal
    ],
)
def test_a_viewer_that_takes_the_page_comes_first(
    tmp_path: Path, installed: tuple[str, ...], command: list[str] | None
):
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF")
    chosen = opening(Source(file, 7, "pdf"), environment=programs(tmp_path, *installed))
    wanted = command and Opening([str(file) if part == "FILE" else part for part in command], in_terminal=False)
    assert chosen == wanted


def test_without_a_display_texts_open_in_the_pager(tmp_path: Path):
    file = tmp_path / "mira.md"
    file.write_text("Mira")
    given = programs(tmp_path, "xdg-open", "less", "most") | {"DISPLAY": ""}
    assert opening(Source(file, None, "markdown"), environment=given) == Opening(["less", str(file)], in_terminal=True)
    given |= {"PAGER": "most -s"}
    assert opening(Source(file, None, "text"), environment=given) == Opening(["most", "-s", str(file)], True)
    assert opening(Source(file, None, "text"), environment={"PATH": str(tmp_path / "none")}) is None
    assert opening(Source(tmp_path / "gone.md", None, "markdown"), environment=given) is None


def test_a_viewer_that_cannot_start_is_told():
    with pytest.raises(KarlError, match="no-such-viewer file: cannot be started: No such file"):
        start(["no-such-viewer", "file"])
