"""`karl graph copy` and `karl prompt copy`: built-in files into the project, which change nothing until edited."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from karl.settings import load_settings
from prompts.loader import BUILT_IN, load_prompt
from tests.karl.kit import call

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    assert call(capsys, "init", tmp_path / "acme").code == 0
    monkeypatch.chdir(tmp_path / "acme")
    return tmp_path / "acme"


def test_a_prompt_is_copied_and_shadows(capsys: Capture) -> None:
    ended = call(capsys, "prompt", "copy", "compressor")
    assert (ended.code, Path(ended.out.strip()).resolve()) == (0, Path("prompts/compressor.md").resolve())
    ours = load_prompt("compressor", path=load_settings().prompt_path)
    assert ours.path.resolve() == Path("prompts/compressor.md").resolve()
    assert ours.text == load_prompt("compressor").text
    assert call(capsys, "prompt", "lint", "prompts", "--strict").code == 0


def test_a_prompt_of_a_policy_goes_to_its_folder(capsys: Capture) -> None:
    assert call(capsys, "prompt", "copy", "solver", "--variant", "tiny").code == 0
    assert Path("prompts/tiny/solver.md").read_bytes() == (BUILT_IN / "tiny" / "solver.md").read_bytes()


def test_a_graph_is_copied_whole(capsys: Capture) -> None:
    Path("graphs/aggregator.yaml").unlink()
    assert call(capsys, "graph", "copy", "aggregator").code == 0
    text = Path("graphs/aggregator.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=graph.schema.json\n") and "extends: aggregator" not in text
    assert call(capsys, "graph", "diff", "aggregator") == (0, "", "")
    assert call(capsys, "graph", "validate", "--strict").code == 0


@pytest.mark.parametrize(("kind", "file"), [("graph", "graphs/solver.yaml"), ("prompt", "prompts/solver.md")])
def test_a_file_of_yours_stays(capsys: Capture, kind: str, file: str) -> None:
    Path(file).write_text("mine", encoding="utf-8")
    ended = call(capsys, kind, "copy", "solver")
    assert ended.code == 2 and "solver" in ended.err and "is there already" in ended.err
    assert Path(file).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("kind", ["graph", "prompt"])
def test_without_a_folder_or_a_known_name_the_mend_is_named(capsys: Capture, kind: str) -> None:
    assert "did you mean 'solver'" in call(capsys, kind, "copy", "slover").err
    Path("karl.toml").write_text("", encoding="utf-8")
    assert f"run `karl init` here, or set '{kind}_path' in karl.toml" in call(capsys, kind, "copy", "solver").err


def test_the_projects_readme_names_commands_that_work(tmp_path: Path, capsys: Capture) -> None:
    text = Path("README.md").read_text(encoding="utf-8")
    assert "> prompts/" not in text and "`karl prompt copy NAME`" in text and "`karl graph copy NAME`" in text
    (ingest,) = re.findall(r"`karl (ingest [^`]+)`", text)
    Path("my-notes").mkdir()
    Path("my-notes/a.md").write_text("Mira leads Falcon.\n", encoding="utf-8")
    assert call(capsys, "--home", tmp_path, *ingest.split(), "--embedder", "none").code == 0
