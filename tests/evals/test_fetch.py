"""Fetching from the hub, through its real client, from a local double of the server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evals.loaders.fetch import MANIFEST, fetch_task, inside
from evals.loaders.hub import Hub
from evals.tasks import task
from store.errors import KarlError
from tests.evals.hub_double import COMMIT, HubDouble, hub_double

QUERIES, CORPUS = "freshstack/queries-oct-2024", "freshstack/corpus-oct-2024"
QUERY_FILE, CORPUS_FILE = "langchain/test-0.parquet", "langchain/train-0.parquet"
SPEC = task("freshstack").spec


def a_hub(**changes: object) -> HubDouble:
    files = {
        QUERIES: {QUERY_FILE: b"queries" * 50, "README.md": b"not asked for"},
        CORPUS: {CORPUS_FILE: bytes(range(256)) * 400},
    }
    return HubDouble(files, large={CORPUS_FILE}, **changes)  # type: ignore[arg-type]


def test_files_come_once_and_are_checked(tmp_path: Path) -> None:
    with hub_double(a_hub()) as hub:
        first = fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
        assert first.new == (f"queries/{QUERY_FILE}", f"corpus/{CORPUS_FILE}")
        assert (tmp_path / "corpus" / CORPUS_FILE).read_bytes() == hub.files[CORPUS][CORPUS_FILE]
        assert not (tmp_path / "queries" / "README.md").exists()
        asked = len(hub.asked)
        again = fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
        assert (again.new, again.kept, len(hub.asked)) == ((), first.new, asked)
    written = json.loads((tmp_path / MANIFEST).read_text())["files"][f"corpus/{CORPUS_FILE}"]
    assert (written["size"], written["commit"]) == (102_400, COMMIT)
    assert written["digest"].startswith("sha256:")


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with hub_double(a_hub(cut={CORPUS_FILE: 1000})) as hub:
        with pytest.raises(KarlError, match="it goes on where it was"):
            fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
        hub.cut.clear()
        resumed = fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
        assert resumed.new == (f"corpus/{CORPUS_FILE}",)
        assert hub.asked[-1] == (CORPUS_FILE, "bytes=1000-")
        assert (tmp_path / "corpus" / CORPUS_FILE).read_bytes() == hub.files[CORPUS][CORPUS_FILE]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("path", [QUERY_FILE, CORPUS_FILE])
def test_a_file_that_is_not_the_published_one_is_removed(tmp_path: Path, path: str) -> None:
    with (
        hub_double(a_hub(lies={path})) as hub,
        pytest.raises(KarlError, match=re.escape(Path(path).name) + ".*published are .* removed: run the fetch again"),
    ):
        fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
    assert not list(tmp_path.rglob(f"*{Path(path).name}*"))


def test_a_file_changed_on_disk_comes_again(tmp_path: Path) -> None:
    with hub_double(a_hub()) as hub:
        fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
        (tmp_path / "queries" / QUERY_FILE).write_bytes(b"shorter")
        assert fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint)).new == (f"queries/{QUERY_FILE}",)


def test_a_file_got_by_hand_is_checked_and_kept(tmp_path: Path) -> None:
    with hub_double(a_hub()) as hub:
        (tmp_path / "queries" / "langchain").mkdir(parents=True)
        (tmp_path / "queries" / QUERY_FILE).write_bytes(hub.files[QUERIES][QUERY_FILE])
        assert fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint)).kept == (f"queries/{QUERY_FILE}",)


def test_an_unreachable_hub_says_what_to_get_by_hand(tmp_path: Path) -> None:
    with pytest.raises(KarlError) as caught:
        fetch_task(task("financebench").spec, tmp_path, hub=Hub("http://127.0.0.1:9"))
    said = str(caught.value)
    assert "the hub does not answer" in said
    assert "huggingface.co/datasets/PatronusAI/financebench: *.jsonl" in said
    assert f"{tmp_path}/pdfs/*.pdf" in said


def test_a_data_set_without_such_files_is_told(tmp_path: Path) -> None:
    double = HubDouble({QUERIES: {"README.md": b"moved"}, CORPUS: {}})
    with hub_double(double) as hub, pytest.raises(KarlError, match=r"no files like \*\.parquet; was it moved"):
        fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/b.parquet") == tmp_path / "a" / "b.parquet"
    with pytest.raises(KarlError, match="outside of"):
        inside(tmp_path, "queries/../../b.parquet")


def test_an_edited_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"files": [1]}')
    with hub_double(a_hub()) as hub, pytest.raises(KarlError, match=r"karl-fetch\.json: not what a fetch writes"):
        fetch_task(SPEC, tmp_path, hub=Hub(hub.endpoint))
