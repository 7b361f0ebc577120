"""`karl bench ingest` on a tiny folder: everything is read, and what it takes is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.retrieval_ablation import ablation, whole, without_headings
from karl.benches.ingest import ingest_bench
from karl.reporting import SilentReporter
from store.corpus import ingest
from store.errors import UsageError
from store.session import Store
from store.vectors.base import IndexEntry
from store.vectors.passages import embedded_passages, passages
from tests.store.documents import a_pdf


def test_everything_is_read_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(a_pdf(["one", None, "three"]))
    report = ingest_bench(pdfs=tmp_path, files=120, embedder="none", reporter=SilentReporter())
    pdf, folder = report["figures"]["pdf"], report["figures"]["folder"]
    assert (pdf["documents"], pdf["pages"], pdf["problems"]) == (1, 2, 1)
    assert (folder["documents"], folder["chunks"]) == (120, 480)
    assert report["figures"]["embedding"] == {}
    assert [target["key"] for target in report["targets"]][2] == "folder.read" and report["targets"][2]["ok"]


def test_an_ablation_takes_away_what_it_says(tmp_path: Path) -> None:
    entry = IndexEntry(1, "ACME", "word " * 500, {"headings": "Item 7", "page": 1})
    assert whole(entry) == [f"ACME\nItem 7\n{entry.text}"]
    assert len(passages(entry)) == 3 == len(embedded_passages(entry)) - 1
    assert all("Item 7" not in text for text in passages(without_headings(entry)))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("words")
    store = Store.open(f"sqlite:///{tmp_path}/k.db")
    ingest(store, tmp_path / "notes", name="plain")
    with pytest.raises(UsageError, match="has no embedder"):
        ablation(store, "plain", questions=[], folder=tmp_path, home=tmp_path)
