"""`karl bench-data`, as a user runs it, on small data of ours and a local double of the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evals.tasks import TASKS
from karl.cli import karl, main
from tests.evals.hub_double import HubDouble, hub_double
from tests.evals.task_data import DATA


def bench_data(*arguments: object) -> Result:
    result = CliRunner().invoke(karl, ["bench-data", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def test_list_names_every_task_and_where_its_data_is() -> None:
    text = bench_data("list").output
    assert all(f"\n{name}: " in f"\n{text}" for name in TASKS)
    assert "by hand: PDFs of github.com/patronus-ai/financebench: pdfs/*.pdf" in text
    assert [spec["name"] for spec in json.loads(bench_data("list", "--json").output)] == list(TASKS)


def test_check_says_what_differs_from_the_full_set(tmp_path: Path) -> None:
    DATA["financebench"](tmp_path)
    text = bench_data("check", "financebench", "--from", tmp_path).output
    assert text.splitlines() == [
        "financebench, split evaluation: 2 questions, a part of the set",
        "  questions of split evaluation: 2 here, 150 in the full set",
        "  evidence: exact: 2",
        "  evidence: letters and digits: 1",
        "  evidence: on the published page: 2",
        "  left out financebench_id_00003: no pdfs/BOLT_2022_10K.pdf",
    ]
    assert json.loads(bench_data("check", "financebench", "--from", tmp_path, "--json").output)["complete"] is False


def test_the_command_that_corpus_prints_ingests_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DATA["freshstack"](tmp_path / "data")
    text = bench_data("corpus", "freshstack", "--from", tmp_path / "data", "--to", tmp_path / "out").output
    assert "2 documents, 2 chunks" in text
    assert "chunks: 2 here, 49,514 in the full set" in text
    command = text.partition("now run: karl ")[2].split()
    with pytest.raises(SystemExit) as stopped:
        main(["--home", str(tmp_path / "home"), *command, "--embedder", "none"])
    assert stopped.value.code == 0
    assert "corpus freshstack: 2 documents, 2 chunks (BM25 only)" in capsys.readouterr().out


def test_corpus_tells_an_estimate_of_tokens(tmp_path: Path) -> None:
    DATA["pmbench"](tmp_path / "data")
    text = bench_data("corpus", "pmbench", "--from", tmp_path / "data", "--to", tmp_path / "out").output
    assert "cut by an estimate of tokens; --tokenizer with that of Alibaba-NLP/gte-large-en-v1.5" in text
    assert "left out photo.png: unsupported format (.png)" in text


def test_fetch_brings_public_files_and_says_what_is_left(tmp_path: Path) -> None:
    files = {"PatronusAI/financebench": {"financebench_merged.jsonl": b"{}\n"}}
    with hub_double(HubDouble(files)) as hub:
        text = bench_data("fetch", "financebench", "--to", tmp_path, "--endpoint", hub.endpoint).output
    assert "financebench: 1 files fetched and checked, 0 were there" in text
    assert f"PDFs of github.com/patronus-ai/financebench: {tmp_path}/pdfs/*.pdf" in text
    assert (tmp_path / "financebench_merged.jsonl").read_bytes() == b"{}\n"


def test_an_unreachable_hub_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench-data", "fetch", "freshstack", "--to", str(tmp_path), "--endpoint", "http://127.0.0.1:9"])
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert "karl: the hub does not answer with the files" in said
    assert "https://huggingface.co/datasets/freshstack/corpus-oct-2024: *.parquet into" in said


def test_an_unknown_task_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench-data", "check", "financebnch", "--from", "."])
    assert stopped.value.code == 2
    assert "did you mean 'financebench'?" in capsys.readouterr().err
