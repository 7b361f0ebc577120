"""`karl ingest` with the settings of a corpus that it can change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from karl.corpora import stored_settings
from karl.corpus_choices import CorpusChoices
from karl.ingest_lock import ingest_lock
from store.corpus_settings import CorpusSettings, FusionWeights
from store.session import Store
from store.vectors import manifest
from tests.karl.kit import Ended, call

Ingest = Callable[..., Ended]


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ingest:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("# Plan\n\nThe lighthouse of the harbor.")
    return lambda *options: call(capsys, "ingest", "notes", "--name", "notes", "--embedder", "none", *options)


def settings(folder: Path) -> CorpusSettings:
    store = Store.open(f"sqlite:///{folder / '.karl' / 'karl.db'}")
    try:
        found = stored_settings(store, "notes")
        assert found is not None
        return found
    finally:
        store.close()


def segment(folder: Path) -> Path:
    (found,) = (path for path in (folder / ".karl" / "indexes" / "notes").iterdir() if path.is_dir())
    return found


def test_what_no_option_says_stays_as_the_corpus_has_it(tmp_path: Path, ingest: Ingest) -> None:
    assert ingest("--fusion", "1:2", "--vectors", "ivf", "--max-chars", "500").code == 0
    assert ingest().code == 0
    kept = settings(tmp_path)
    assert kept.fusion == FusionWeights(by="scores", bm25=1, dense=2)
    assert (kept.index.vectors, kept.max_chars) == ("ivf", 500)
    assert ingest("--fusion", "ranks:0.5:1").code == 0
    changed = settings(tmp_path)
    assert changed == kept.model_copy(update={"fusion": FusionWeights(by="ranks", bm25=0.5, dense=1)})


def test_fusion_alone_builds_nothing_anew_and_another_kind_of_vectors_does(tmp_path: Path, ingest: Ingest) -> None:
    ingest()
    built = segment(tmp_path).name  # at random, each time
    assert ingest("--fusion", "scores:1:1").code == 0
    assert segment(tmp_path).name == built
    assert ingest("--vectors", "flat").code == 0
    assert segment(tmp_path).name != built


def test_damage_in_a_large_index_is_found_and_mended_by_verify(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest()
    monkeypatch.setattr(manifest, "READ_WHOLE", 0)
    monkeypatch.setattr(manifest, "SMALL", 0)
    damaged = segment(tmp_path)
    path = damaged / "words" / "counts_P.npy"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 4]))
    assert ingest().code == 0
    assert segment(tmp_path) == damaged
    assert ingest("--verify").code == 0
    assert not damaged.exists()
    assert (segment(tmp_path) / "words" / "counts_P.npy").read_bytes() == data
    sound = segment(tmp_path)
    assert ingest("--verify").code == 0
    assert segment(tmp_path) == sound


@pytest.mark.parametrize("fusion", ["3", "1:", "0:0", "-1:2", "1:nan", "inf:1", "rank:1:3", "1:2:3", "a:b"])
def test_a_fusion_that_is_none_says_what_to_write(tmp_path: Path, ingest: Ingest, fusion: str) -> None:
    ended = ingest("--fusion", fusion)
    assert ended.code == 2
    assert f"fusion {fusion!r}: write BM25's weight and the embedder's" in ended.err
    assert "such as 1:3; ranks:1:3 weighs ranks" in ended.err
    assert not (tmp_path / ".karl" / "indexes").exists()


def test_other_mistakes_are_refused_before_anything_is_read(tmp_path: Path, ingest: Ingest) -> None:
    assert "'tree' is not one of 'auto', 'flat', 'hnsw', 'ivf'" in ingest("--vectors", "tree").err
    (tmp_path / "karl.toml").write_text('[weaviate]\nurl = "http://127.0.0.1:9"')
    for option in (["--verify"], ["--vectors", "ivf"]):
        ended = ingest("--index", "weaviate", *option)
        assert ended.code == 2
        assert f"{option[0]} is of an index in process" in ended.err
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        CorpusChoices.model_validate({"vector": "ivf"})


def test_an_embedder_that_does_not_answer_leaves_the_corpus_as_it_is(
    tmp_path: Path, ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    assert ingest().code == 0
    before = settings(tmp_path)
    refused = ingest("--embedder", "./model")
    assert refused.code == 2 and f"cannot load {tmp_path / 'model'}" in refused.err
    assert settings(tmp_path) == before
    assert "a.md" in call(capsys, "search", "notes", "lighthouse").out


def test_a_second_ingestion_of_a_corpus_is_told_who_is_at_it(tmp_path: Path, ingest: Ingest) -> None:
    with ingest_lock(tmp_path / ".karl", "notes"):
        refused = ingest()
    assert refused.code == 1
    assert f"corpus notes: it is being ingested by process {os.getpid()} since" in refused.err
    assert ingest().code == 0


@pytest.mark.parametrize("name", ["", "  ", "a\nb"])
def test_a_name_that_cannot_be_seen_is_refused(
    tmp_path: Path, ingest: Ingest, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert ingest().code == 0
    refused = call(capsys, "ingest", "notes", "--name", name, "--embedder", "none")
    assert refused.code == 2 and "give it letters that can be seen" in refused.err
    assert segment(tmp_path).is_dir()


def test_many_files_without_a_reader_are_counted(tmp_path: Path, ingest: Ingest) -> None:
    for number in range(30):
        (tmp_path / "notes" / f"{number}.{'png' if number else 'gif'}").write_bytes(b"x")
    out = ingest().out
    assert "skipped 30 files of unsupported formats: .png 29, .gif 1 (--json names them)" in out
    assert "skipped 1.png" not in out


def test_a_property_that_nothing_has_is_named(ingest: Ingest, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest().code == 0
    refused = call(capsys, "search", "notes", "lighthouse", "--where", "yaer=2018")
    assert refused.code == 2 and "a property 'yaer'; there are: headings, page, path, title" in refused.err
    assert "no chunk matches" in call(capsys, "search", "notes", "lighthouse", "--where", "path=b*").out
