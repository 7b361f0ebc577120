"""Written corpora are read by the existing ingestion: as many chunks, under the keys that items name evidence by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.corpora.keys import evidence_keys
from evals.corpora.write import CORPUS_FILE, TaskCorpus, write_corpus
from evals.tasks import TASKS
from evals.tasks.load import load_task
from store.chunking.policy import load_policy
from store.chunking.tokens import TokenizerFile
from store.corpus import ingest
from store.corpus_settings import CorpusSettings
from store.errors import UsageError
from store.queries import corpus_by_name, corpus_chunks
from store.session import Store
from tests.evals.task_data import DATA, write_lines, write_parquet, write_value
from tests.evals.test_chunking import TOKENIZER
from tests.evals.test_evidence import SHARED

CHUNKS = {"browsecomp_plus": 2, "trec_biogen": 2, "financebench": 3, "qampari": 4, "freshstack": 2, "pmbench": 2}
CHUNKS["fogbench"] = 40


def written(name: str, folder: Path) -> TaskCorpus:
    DATA[name](folder / "data")
    return write_corpus(name, folder / "data", folder / "out")


def lines(corpus: TaskCorpus) -> list[dict[str, str]]:
    return [json.loads(line) for line in corpus.path.read_text().splitlines()]


@pytest.mark.parametrize("name", TASKS)
def test_each_corpus_is_ingested_as_written_and_holds_its_evidence(tmp_path: Path, name: str) -> None:
    corpus = written(name, tmp_path)
    store = Store.open(f"sqlite:///{tmp_path}/k.db")
    settings = CorpusSettings(chunking=load_policy(corpus.chunking)) if corpus.chunking else None
    report = ingest(store, corpus.path, name=corpus.name, settings=settings)
    assert (report.chunks, report.skipped) == (CHUNKS[name], [])
    assert corpus.chunks == CHUNKS[name]
    with store.session() as session:
        row = corpus_by_name(session, corpus.name)
        found = [evidence_keys(chunk.key, page=chunk.page) for chunk in corpus_chunks(session, row.id or 0)]
    held = frozenset[str]().union(*found)
    items = load_task(name, tmp_path / "data").items
    in_corpus = [key for item in items for key in item.gold if key in held]
    assert in_corpus
    assert all(item.gold[0] in held for item in items)


def test_the_command_keeps_long_chunks_whole(tmp_path: Path) -> None:
    corpus = written("freshstack", tmp_path)
    longest = max(len(line["text"]) for line in lines(corpus))
    assert longest > 2000
    assert corpus.command == f"karl ingest {tmp_path}/out/{CORPUS_FILE} --name freshstack --chunking given"
    assert [str(shortfall) for shortfall in corpus.shortfalls] == ["chunks: 2 here, 49,514 in the full set"]


def test_documents_are_cut_after_their_first_tokens(tmp_path: Path) -> None:
    corpus = written("browsecomp_plus", tmp_path)
    first, second = lines(corpus)
    assert (first["id"], first["title"], second["title"]) == ("11", "Ada Lovelace", "https://a.example/byron")
    assert first["text"].count("word") == 495
    assert not corpus.exact
    tokenizer = TokenizerFile(write_value(tmp_path / "tokenizer.json", TOKENIZER))
    exact = write_corpus("browsecomp_plus", tmp_path / "data", tmp_path / "out", tokens=tokenizer)
    assert exact.exact
    assert lines(exact)[0]["text"].count("word") == 503


def test_qampari_keeps_pages_of_gold_entities_in_windows_of_sentences(tmp_path: Path) -> None:
    corpus = written("qampari", tmp_path)
    found = lines(corpus)
    assert [line["id"] for line in found] == ["Ada Lovelace#1", "Ada Lovelace#2", "Ada Lovelace#3", "Zoë#1"]
    assert [len(line["text"].split()) for line in found] == [104, 104, 52, 2]
    assert (corpus.documents, corpus.chunks) == (2, 4)


def test_what_has_no_text_is_left_out_and_told(tmp_path: Path) -> None:
    assert [tuple(entry) for entry in written("trec_biogen", tmp_path).left_out] == [("8", "it has no text")]
    notes = written("pmbench", tmp_path / "pm")
    assert [tuple(entry) for entry in notes.left_out] == [("photo.png", "unsupported format (.png)")]
    assert [line["id"] for line in lines(notes)] == ["plan.txt", "team/mira.md"]


def test_pdfs_are_ingested_where_they_lie(tmp_path: Path) -> None:
    corpus = written("financebench", tmp_path)
    assert corpus.command == f"karl ingest {tmp_path}/data/pdfs --name financebench"
    assert (corpus.documents, corpus.chunks, corpus.exact) == (1, 3, True)
    assert [str(shortfall) for shortfall in corpus.shortfalls] == ["chunks: 3 here, 53,399 in the full set"]
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match=r"pdfs: no such folder; it holds the documents \(PDFs of github"):
        write_corpus("financebench", tmp_path, tmp_path / "out")


def test_a_domain_of_its_own_has_a_name_of_its_own(tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus" / "yolo.jsonl", {"_id": "a#1", "text": "train()"}, {"_id": "a#2", "text": "val()"})
    corpus = write_corpus("freshstack", tmp_path, tmp_path / "out", split="yolo")
    assert (corpus.name, corpus.documents, corpus.chunks) == ("freshstack_yolo", 1, 2)
    assert str(corpus.shortfalls[0]) == "chunks: 2 here, 27,207 in the full set"


def test_two_chunks_of_one_id_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    row = {"_id": "a", "text": "one"}
    write_parquet(tmp_path / "corpus" / "langchain" / "train.parquet", row, row)
    with pytest.raises(UsageError, match="two chunks have the id 'a'"):
        write_corpus("freshstack", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / CORPUS_FILE).exists()


def test_a_corpus_without_text_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "corpus" / "langchain" / "train.parquet", {"_id": "a", "text": "\x00 "})
    with pytest.raises(UsageError, match="no document of FreshStack has any text"):
        write_corpus("freshstack", tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("key", "page", "names"),
    [
        ("2022/ACME_10K.pdf#3", 4, {"ACME_10K", "ACME_10K#4", "2022/ACME_10K.pdf#4", "2022/ACME_10K"}),
        ("corpus.jsonl#Ada Lovelace#2#0", None, {"Ada Lovelace", "Ada Lovelace#2"}),
        ("corpus.jsonl#langchain/docs/a.md_0_90#0", None, {"langchain/docs/a.md_0_90"}),
        ("corpus.jsonl#C#0", None, {"C"}),
        ("team/mira.md#1", None, {"team/mira.md", "team/mira", "mira.md", "mira"}),
    ],
)
def test_a_hit_is_known_by_its_names(key: str, page: int | None, names: set[str]) -> None:
    assert names <= evidence_keys(key, page=page)
    assert not any(name.endswith("#3") for name in evidence_keys(key, page=page))


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no sample filings at {SHARED}; set KARL_SHARED")
def test_the_sample_filings_hold_the_evidence_of_every_question(tmp_path: Path) -> None:
    corpus = write_corpus("financebench", SHARED, tmp_path / "out")
    assert (corpus.documents, corpus.chunks) == (10, 902)  # one page is blank
    store = Store.open(f"sqlite:///{tmp_path}/k.db")
    assert ingest(store, corpus.path, name=corpus.name).chunks == 901
    with store.session() as session:
        row = corpus_by_name(session, corpus.name)
        found = [evidence_keys(chunk.key, page=chunk.page) for chunk in corpus_chunks(session, row.id or 0)]
    held = frozenset[str]().union(*found)
    items = load_task("financebench", SHARED).items
    assert len(items) == 30
    assert all(item.gold and held.issuperset(item.gold) for item in items)
