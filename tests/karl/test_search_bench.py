"""`karl bench search` at a small size: every part, its figures and targets; the seeded data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from karl.benches.search import data
from karl.benches.search.turns import recall
from store.vectors import flat
from store.vectors.flat import nearest
from tests.karl.kit import call

SIZES = (
    "--size",
    "1200",
    "--large",
    "1500",
    "--chunks",
    "300",
    "--dimensions",
    "16",
    "--queries",
    "64",
    "--repeats",
    "1",
)


def test_each_part_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    only = ("--only", "uniform", "--only", "growth", "--only", "callers")
    ended = call(capsys, "bench", "search", *only, *SIZES, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    found = report["figures"]
    assert {"karl", "every row", "karl hnsw", "karl ivf"} <= set(found["uniform"])
    assert found["uniform"]["karl"]["recall_at_20"] == found["uniform"]["every row"]["recall_at_20"] == 1.0
    assert (found["growth"]["chunks"], found["growth"]["bm25_queries"], found["growth"]["bm25_differing"]) == (
        300,
        128,
        0,
    )
    rates = [found["callers"][way]["queries_per_second"] for way in ("bm25", "hybrid_vectors_given")]
    assert min(*rates, found["callers"]["bm25_cold_queries_per_second"]) > 0 and "hybrid" not in found["callers"]
    assert [target["key"] for target in report["targets"]] == [
        "growth.add_share", "growth.bm25_differing", "callers.bm25.queries_per_second",
        "callers.hybrid_vectors_given.queries_per_second",
    ]  # fmt: skip


@pytest.mark.slow
def test_readers_share_the_pages_of_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    ended = call(capsys, "bench", "search", "--only", "large", *SIZES, "--json")
    assert ended.code == 0, ended.err
    readers = json.loads(ended.out)["figures"]["large"]["memory"]
    assert readers["readers"] == len(readers["each"]) == 2
    assert all(0 < each["after"]["pss"] < each["after"]["rss"] for each in readers["each"])


def test_data_is_seeded_and_nearest_are_exact(monkeypatch: pytest.MonkeyPatch):
    for make in (data.clustered, data.uniform):
        one, two = (make(500, queries=5, dimensions=24, seed=3) for _ in range(2))
        assert np.array_equal(one.rows_VD, two.rows_VD) and np.array_equal(one.queries_QD, two.queries_QD)
        assert np.allclose(np.linalg.norm(one.rows_VD, axis=1), 1, atol=1e-5)
        expected = np.argsort(-(one.queries_QD @ one.rows_VD.T), axis=1)[:, :20]
        assert np.array_equal(nearest(one.queries_QD, one.rows_VD, k=20), expected)
        monkeypatch.setattr(flat, "ROWS_AT_ONCE", 30)
        assert np.array_equal(nearest(one.queries_QD, one.rows_VD, k=20), expected)
        assert recall(expected[:, ::-1].tolist(), expected) == 1.0
    made = data.texts(50, queries=3, words=20, asked=4, seed=1)
    assert made == data.texts(50, queries=3, words=20, asked=4, seed=1)
    assert all(len(set(query.split())) >= 2 for query in made.queries)
