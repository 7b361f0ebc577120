"""Rows of JSONL, JSON and parquet, and errors that name file, line and key."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.loaders.rows import Row, as_row, read_rows
from store.errors import UsageError
from tests.evals.task_data import write_lines, write_parquet, write_value

ROWS = [{"id": "1", "n": {"text": "one", "docid": "x"}}, {"id": "2", "n": {"text": "two", "docid": "y"}}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.txt", "a.json"])
def test_lines_are_read_under_any_name(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / name, *ROWS)
    assert [row.text("id") for row in read_rows(path)] == ["1", "2"]
    assert [row.where for row in read_rows(path)] == [f"{path}:1", f"{path}:2"]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_under_a_key_is_read_however_it_is_laid_out(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "topics-json.txt"
    path.write_text(json.dumps({"topics": ROWS}, indent=indent))
    assert [row.text("id") for row in read_rows(path, under="topics")] == ["1", "2"]


def test_packed_and_marked_files_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(b'\xef\xbb\xbf{"id": 7}\n\n{"id": 8}\n'))
    assert [row.text("id") for row in read_rows(packed)] == ["7", "8"]


def test_parquet_leaves_out_nested_texts_that_nobody_asked_for(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", *ROWS)
    assert [dict(row.values) for row in read_rows(path, skip=("text",))] == [
        {"id": "1", "n": {"docid": "x"}},
        {"id": "2", "n": {"docid": "y"}},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"id": 1}\n{"id": \n', r"a\.jsonl:2: not JSON"),
        (b'{"id": 1}\n[]\n', r"a\.jsonl:2: an object is needed, not a list"),
        (b"\xff\xfe{}", r"a\.jsonl:1: not UTF-8"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        list(read_rows(tmp_path / "a.jsonl"))


def test_bad_json_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.json: topics: missing; the keys here are: themes"):
        list(read_rows(write_value(tmp_path / "a.json", {"themes": []}), under="topics"))
    with pytest.raises(UsageError, match=r"b\.json: a list of objects is needed"):
        list(read_rows(write_value(tmp_path / "b.json", "text")))
    with pytest.raises(UsageError, match=r"none\.json: cannot be read: No such file"):
        list(read_rows(tmp_path / "none.json"))


def test_parquet_errors_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UsageError, match="cannot be read as parquet"):
        list(read_rows(tmp_path / "a.parquet"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs pyarrow"):
        list(read_rows(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("get", "message"),
    [
        (lambda row: row.text("none"), "f:3: none: missing; the keys here are: a, n, l, e, z"),
        (lambda row: row.listed("z"), "f:3: z: is null"),
        (lambda row: row.text("l"), "f:3: l: a string is needed, not a list"),
        (lambda row: row.text("e"), "f:3: e: is empty"),
        (lambda row: row.whole("a"), "f:3: a: a whole number is needed, not 'x'"),
        (lambda row: row.listed("a"), "f:3: a: a list is needed, not a string"),
        (lambda row: row.texts("l"), r"f:3: l\[1\]: a string is needed, not 2"),
        (lambda row: row.rows("l")[0], r"f:3: l\[0\]: an object is needed, not a string"),
    ],
)
def test_a_wrong_value_names_its_key(get: Callable[[Row], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        get(as_row({"a": "x", "n": 4, "l": ["y", 2], "e": " ", "z": None}, "f:3"))


def test_numbers_are_texts_and_missing_lists_may_be_empty() -> None:
    row = as_row({"id": 116, "x": None}, "f:1")
    assert (row.text("id"), row.whole("id"), row.text("x", default="d"), row.listed("x", optional=True)) == (
        "116",
        116,
        "d",
        [],
    )
