"""Corpora on a wire-level DOUBLE of a Weaviate server, and `karl doctor` of it, by the settings of karl.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.health import checks
from karl.reporting import SilentReporter
from karl.settings import Settings, load_settings
from store.errors import UsageError
from store.session import Store
from store.vectors.library import open_index

pytest.importorskip("weaviate")

from tests.store.weaviate_double import WeaviateDouble


def settings_at(folder: Path, double: WeaviateDouble, *, extra: str = "") -> Settings:
    table = "\n".join(f"{key} = {value!r}" for key, value in double.settings.items()).replace("'", '"')
    (folder / "karl.toml").write_text(f'embedder = "none"\n{extra}\n[weaviate]\n{table}\n')
    return load_settings(folder, home=folder / "home")


def test_a_corpus_goes_to_the_server_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("the lighthouse of the harbor")
    (tmp_path / "home").mkdir()
    with WeaviateDouble(api_key="secret") as double:
        settings = settings_at(tmp_path, double, extra='index = "weaviate"')
        store = Store.open(settings.store_url)
        told = {"name": "n", "settings": settings, "reporter": SilentReporter()}
        report = ingest_corpus(store, tmp_path / "notes", **told)
        assert report.lines()[0] == "corpus n: 1 documents, 1 chunks (BM25 only, on Weaviate)"
        assert report.as_dict()["index"] == "weaviate"
        index = open_index(store, "n", home=settings.home, servers=settings.servers, rebuild=False)
        assert [hit.key for hit in index.search(["lighthouses"])[0]] == ["a.md#0"]
        index.close()
        assert len(double.inserted) == 1
        (found,) = [check for check in checks(settings) if check.name == "Weaviate"]
        assert (found.level, found.mend) == ("ok", "")
        # Back in process, by the option alone.
        ingest_corpus(store, tmp_path / "notes", **told, choices=CorpusChoices(index="embedded"))
        assert open_index(store, "n", home=settings.home).stats().kind == "bm25"
        store.close()
    (found,) = [check for check in checks(settings) if check.name == "Weaviate"]
    assert (found.level, found.mend) == ("missing", "is it running? karl doctor")
    assert "secret" not in found.found


def test_weaviate_without_its_table_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/k.db")
    with pytest.raises(UsageError, match=r"needs a table \[weaviate\] with its url in karl.toml"):
        ingest_corpus(
            store,
            tmp_path,
            name="n",
            settings=Settings.model_validate({"home": tmp_path, "index": "weaviate", "embedder": "none"}),
            reporter=SilentReporter(),
        )
    store.close()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[weaviate]\nurl = "ftp://x"', r"key 'weaviate.url': String should match pattern"),
        ("[weaviate]\nalfa = 0.5", r"unknown key 'weaviate.alfa'; did you mean 'alpha'\?"),
        ("[embedding]\nquery_prefx = 1", r"unknown key 'embedding.query_prefx'; did you mean 'query_prefix'\?"),
    ],
)
def test_mistakes_in_the_tables_name_the_key(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "karl.toml").write_text(table)
    with pytest.raises(UsageError, match=message):
        load_settings(tmp_path)
