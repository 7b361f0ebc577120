"""Ingestion: what is added, changed, kept, removed, skipped; what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from store import corpus as corpus_module
from store.chunking.policy import ChunkingPolicy
from store.corpus import CorpusSettings, IngestProgress, IngestReport, ingest
from store.errors import KarlError, UsageError
from store.queries import chunk_by_key, corpora, corpus_by_name, corpus_chunks, corpus_counts, documents
from store.session import Store
from tests.store.documents import a_pdf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two notes, a PDF, a JSONL file of two documents, and three files that cannot be read."""
    notes = tmp_path / "notes"
    (notes / "sub").mkdir(parents=True)
    (notes / "mira.md").write_text("# Mira\n\nLeads the Harbor team.")
    (notes / "sub" / "plan.txt").write_text("The plan is simple.")
    (notes / "report.pdf").write_bytes(a_pdf(["page one", None, "page three"]))
    (notes / "docs.jsonl").write_text('{"id": "a", "text": "alpha"}\nnot json\n{"id": "b", "text": "beta"}\n')
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 cut off")
    (notes / "empty.md").write_text("")
    (notes / "image.png").write_bytes(b"\x89PNG")
    (notes / ".hidden.md").write_text("not part of it")
    return notes


def keys(store: Store) -> dict[str, int]:
    with store.session() as session:
        corpus = corpus_by_name(session, "notes")
        return {chunk.key: chunk.id or 0 for chunk in corpus_chunks(session, corpus.id or 0)}


def changes(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, report.removed


def test_first_ingestion_reports_everything(store: Store, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = ingest(store, folder, name="notes", progress=lambda state: seen.append((state.done, state.total)))
    assert (report.documents, report.chunks, changes(report)) == (5, 6, (5, 0, 0, 0))
    assert sorted(keys(store)) == [
        "docs.jsonl#a#0",
        "docs.jsonl#b#0",
        "mira.md#0",
        "report.pdf#0",
        "report.pdf#2",
        "sub/plan.txt#0",
    ]
    reasons = dict(report.skipped)
    assert list(reasons) == ["broken.pdf", "docs.jsonl#line-2", "empty.md", "image.png"]
    assert reasons["broken.pdf"].startswith("corrupt PDF")
    assert reasons["empty.md"] == "empty"
    assert reasons["image.png"] == "unsupported format (.png)"
    assert [item.path for item in report.problems] == ["report.pdf"]
    assert seen == [(n, 7) for n in range(1, 8)]
    with store.session() as session:
        assert corpus_counts(session, report.corpus_id) == (5, 6, 4)
        assert len(documents(session, report.corpus_id)) == 9
        assert chunk_by_key(session, report.corpus_id, key="report.pdf#2").page == 3


def test_again_changes_nothing_and_still_reports_what_is_skipped(store: Store, folder: Path) -> None:
    first = ingest(store, folder, name="notes")
    before = keys(store)
    second = ingest(store, folder, name="notes")
    assert changes(second) == (0, 0, 5, 0)
    assert (second.skipped, second.problems) == (first.skipped, first.problems)
    assert keys(store) == before


def test_only_what_changed_is_written_and_ids_stay(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes", settings=CorpusSettings(max_chars=200))
    before = keys(store)
    (folder / "mira.md").write_text("# Mira\n\n" + "Leads the Lighthouse team. " * 12)
    (folder / "sub" / "plan.txt").unlink()
    (folder / "docs.jsonl").write_text('{"id": "b", "text": "beta"}\n{"id": "c", "text": "gamma"}\n')
    (folder / "empty.md").write_text("no longer empty")
    report = ingest(store, folder, name="notes")
    assert changes(report) == (2, 1, 2, 2)
    after = keys(store)
    assert after["mira.md#0"] == before["mira.md#0"]
    assert after["docs.jsonl#b#0"] == before["docs.jsonl#b#0"]
    assert "mira.md#1" in after
    assert not {"sub/plan.txt#0", "docs.jsonl#a#0"} & set(after)
    with store.session() as session:
        assert "Lighthouse" in chunk_by_key(session, report.corpus_id, key="mira.md#0").text
    (folder / "mira.md").write_text("# Mira\n\nshort again")
    ingest(store, folder, name="notes")
    assert "mira.md#1" not in keys(store)


def test_ids_of_removed_chunks_are_never_used_again(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes")
    newest = max(keys(store).values())
    removed = [name for name, chunk_id in keys(store).items() if chunk_id == newest]
    assert removed == ["sub/plan.txt#0"]
    (folder / "sub" / "plan.txt").unlink()
    ingest(store, folder, name="notes")
    (folder / "new.txt").write_text("something else")
    ingest(store, folder, name="notes")
    assert keys(store)["new.txt#0"] > newest


def test_a_document_that_became_unreadable_loses_its_chunks(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4 cut off")
    report = ingest(store, folder, name="notes")
    assert "report.pdf" in dict(report.skipped)
    assert changes(report) == (0, 0, 4, 1)
    assert not [key for key in keys(store) if key.startswith("report.pdf")]


def test_other_settings_read_everything_again(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes")
    report = ingest(store, folder, name="notes", settings=CorpusSettings(max_chars=300))
    assert changes(report) == (0, 5, 0, 0)
    with store.session() as session:
        assert corpus_by_name(session, "notes").settings["max_chars"] == 300
    assert changes(ingest(store, folder, name="notes")) == (0, 0, 5, 0)


def test_a_single_file_is_a_corpus(store: Store, folder: Path) -> None:
    report = ingest(store, folder / "docs.jsonl", name="one")
    assert (report.documents, len(report.skipped)) == (2, 1)


@pytest.mark.parametrize("case", ["missing", "empty", "unsupported", "unreadable"])
def test_nothing_to_read_is_refused_and_leaves_no_corpus(store: Store, tmp_path: Path, case: str) -> None:
    source = tmp_path / case
    if case != "missing":
        source.mkdir()
    if case == "unsupported":
        (source / "a.zip").write_bytes(b"PK")
    if case == "unreadable":
        (source / "a.pdf").write_bytes(b"no PDF")
    with pytest.raises(UsageError, match=f"{case}: (no such|nothing)"):
        ingest(store, source, name="notes")
    with store.session() as session:
        assert corpora(session) == []
        assert session.execute(text("SELECT count(*) FROM document")).scalar_one() == 0


def test_an_emptied_folder_does_not_empty_the_corpus(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes")
    before = keys(store)
    for path in folder.rglob("*.*"):
        path.unlink()
    with pytest.raises(UsageError, match="nothing to read"):
        ingest(store, folder, name="notes")
    assert keys(store) == before


def test_a_name_belongs_to_its_folder_until_that_is_gone(store: Store, folder: Path, tmp_path: Path) -> None:
    ingest(store, folder, name="notes")
    before = keys(store)
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.txt").write_text("other")
    with pytest.raises(UsageError, match=r"give .* another --name"):
        ingest(store, other, name="notes")
    folder.rename(tmp_path / "moved")
    report = ingest(store, tmp_path / "moved", name="notes")
    assert changes(report) == (0, 0, 5, 0)
    assert keys(store) == before


def test_counts_are_checked_against_the_database(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes")
    with store.session() as session:
        session.execute(text("DELETE FROM chunk WHERE key = 'mira.md#0'"))
    with pytest.raises(KarlError, match="the store holds"):
        ingest(store, folder, name="notes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_tried_again(store: Store, folder: Path) -> None:
    (folder / "mira.md").chmod(0)
    assert dict(ingest(store, folder, name="notes").skipped)["mira.md"].startswith("unreadable")
    (folder / "mira.md").chmod(0o600)
    assert "mira.md#0" in keys(store) or ingest(store, folder, name="notes").added == 0


def test_more_documents_than_a_batch(store: Store, tmp_path: Path) -> None:
    lines = (f'{{"id": "d{n}", "text": "document number {n}"}}' for n in range(700))
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    report = ingest(store, tmp_path / "many.jsonl", name="many")
    assert (report.documents, report.chunks, report.skipped) == (700, 700, [])


def test_file_names_that_are_no_utf8(store: Store, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    with open(folder + b"/caf\xe9.txt", "wb") as file:
        file.write(b"coffee")
    ingest(store, tmp_path / "odd", name="notes")
    assert list(keys(store)) == ["caf\\xe9.txt#0"]


def test_settings_are_closed() -> None:
    with pytest.raises(ValueError, match="max_char"):
        CorpusSettings.model_validate({"max_char": 5})


def test_a_paragraph_put_in_at_the_top_moves_no_id(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    parts = [f"## Part {n}\n" + f"word{n} " * 30 for n in range(3)]
    (notes / "a.md").write_text("\n\n".join(parts))
    settings = CorpusSettings(max_chars=220)
    ingest(store, notes, name="notes", settings=settings)

    def held() -> dict[str, tuple[int, str]]:
        with store.session() as session:
            corpus = corpus_by_name(session, "notes")
            found = corpus_chunks(session, corpus.id or 0)
            return {chunk.text[:9]: (chunk.id or 0, chunk.key) for chunk in found}

    before = held()
    (notes / "a.md").write_text("\n\n".join(["## Part new\n" + "fresh " * 30, parts[1], parts[0], parts[2]]))
    ingest(store, notes, name="notes")
    after = held()
    assert [after[part][0] for part in before] == [before[part][0] for part in before]
    assert [after[part][1] for part in before] == ["a.md#2", "a.md#1", "a.md#3"]
    assert after["## Part n"][1] == "a.md#0"


def test_duplicates_are_reported_or_left_out_and_come_back(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for name, words in {"a.md": "Same  words", "b.txt": "same words", "c.txt": "other words"}.items():
        (notes / name).write_text(words)
    report = ingest(store, notes, name="notes")
    assert report.duplicates == [("b.txt", "a.md")]
    assert (report.documents, changes(report)) == (3, (3, 0, 0, 0))
    skip = CorpusSettings(chunking=ChunkingPolicy(duplicates="skip"))
    for expected in ((0, 0, 2, 1), (0, 0, 2, 0)):
        report = ingest(store, notes, name="notes", settings=skip)
        assert (report.skipped, changes(report)) == ([("b.txt", "duplicate of a.md")], expected)
        assert sorted(keys(store)) == ["a.md#0", "c.txt#0"]
    (notes / "a.md").unlink()
    report = ingest(store, notes, name="notes")
    assert (report.skipped, changes(report)) == ([], (1, 0, 1, 1))
    assert sorted(keys(store)) == ["b.txt#0", "c.txt#0"]


def test_properties_headings_and_pages_reach_the_store(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("---\ntitle: Plan\nauthor: Mira\ntags: [x, y]\ndate: 2026-01-02\n---\nBody")
    (notes / "b.jsonl").write_text('{"id": 1, "text": "t", "year": 2018, "metadata": {"lang": "en"}, "path": "no"}')
    (notes / "c.pdf").write_bytes(a_pdf(["one two", "three"]))
    report = ingest(store, notes, name="notes")
    with store.session() as session:
        found = {row.path: row.properties for row in documents(session, report.corpus_id)}
    assert found == {
        "a.md": {"author": "Mira", "tags": "x, y", "date": "2026-01-02"},
        "b.jsonl#1": {"year": 2018, "lang": "en"},
        "c.pdf": {"pages": 2},
    }


def test_an_interruption_loses_and_doubles_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.corpus.BATCH", 4)
    notes = tmp_path / "many"
    notes.mkdir()
    for n in range(10):
        (notes / f"{n}.txt").write_text(f"note {n}")

    def stop(state: IngestProgress) -> None:
        if state.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(store, notes, name="notes", progress=stop)
    before = keys(store)
    assert sorted(before) == ["0.txt#0", "1.txt#0", "2.txt#0", "3.txt#0"]
    report = ingest(store, notes, name="notes")
    assert (report.documents, report.chunks, changes(report)) == (10, 10, (6, 0, 4, 0))
    assert before.items() <= keys(store).items()


def test_a_full_disk_is_told_and_the_next_ingestion_goes_on(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "many"
    notes.mkdir()
    (notes / "a.txt").write_text("first")
    ingest(store, notes, name="notes")
    (notes / "b.txt").write_text("second " * 200_000)
    connection_limits = []

    def full(connection: Any, _record: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection_limits.append(connection.execute(f"PRAGMA max_page_count={pages + 2}").fetchone()[0])

    event.listen(store.engine, "connect", full)
    store.engine.dispose()
    with pytest.raises(KarlError, match="the database refused: database or disk is full"):
        ingest(store, notes, name="notes", settings=CorpusSettings(max_chars=10_000))
    event.remove(store.engine, "connect", full)
    store.engine.dispose()
    assert connection_limits and list(keys(store)) == ["a.txt#0"]
    report = ingest(store, notes, name="notes")
    assert report.documents == 2 and report.skipped == []


def test_a_file_too_large_to_be_read_at_once_is_skipped(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.readers.base.LARGEST", 2**20)
    notes = tmp_path / "many"
    notes.mkdir()
    (notes / "a.txt").write_text("fine")
    with (notes / "huge.txt").open("wb") as file:
        file.truncate(3 * 2**20)
    report = ingest(store, notes, name="notes")
    assert report.skipped == [("huge.txt", "too large: 3 MiB, of at most 1; split it, or write it as JSONL")]


def test_a_corpus_whose_files_are_away_for_a_moment_stays(store: Store, folder: Path) -> None:
    ingest(store, folder, name="notes")
    before = keys(store)
    held = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in held:
        path.write_bytes(b"")
    with pytest.raises(UsageError, match="nothing readable in 7 files"):
        ingest(store, folder, name="notes")
    assert keys(store) == before
    for path, content in held.items():
        path.write_bytes(content)
    assert changes(ingest(store, folder, name="notes")) == (0, 0, 5, 0)


def test_a_corpus_that_another_process_has_just_made_is_told(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look and our insertion."""
    ingest(store, folder, name="notes")
    monkeypatch.setattr(corpus_module, "_find_corpus", lambda *_: None)
    with pytest.raises(KarlError, match="another ingestion of it is running"):
        ingest(store, folder, name="notes")
