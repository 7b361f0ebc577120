"""`karl init`: a folder in which everything works at once and nothing has changed until someone edits it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

import graphs
import prompts
from graphs.schema import BUILT_IN, load_spec
from karl.cli import karl
from karl.project.graph_copies import uncommented
from karl.settings import Settings, load_settings
from prompts.loader import load_prompt
from tests.karl.kit import call

Capture = pytest.CaptureFixture[str]
GRAPHS = sorted(file.stem for file in BUILT_IN.glob("*.yaml"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    """A fresh project folder, and the working directory."""
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "init", "acme").code == 0
    monkeypatch.chdir(tmp_path / "acme")
    return tmp_path / "acme"


def test_every_command_works_in_a_fresh_folder(project: Path, capsys: Capture) -> None:
    checked = call(capsys, "graph", "validate", "--strict")
    assert (checked.code, checked.out) == (0, "")
    assert (call(capsys, "prompt", "lint", "prompts", "--strict").code) == 0
    rows = json.loads(call(capsys, "graph", "list", "--json").out)
    assert {row["name"]: row["origin"] for row in rows} == dict.fromkeys(GRAPHS, "yours")
    for name in GRAPHS:
        assert call(capsys, "graph", "diff", name) == (0, "", "")
        assert call(capsys, "graph", "show", name, "--ascii").code == 0
    shown = call(capsys, "prompt", "show", "solver", "--var", "question=who?")
    assert shown.out.rstrip().endswith("who?") and "# A copy" not in shown.out


def test_the_readme_names_commands_that_the_command_line_takes(project: Path) -> None:
    told = re.findall(r"`karl (.+?)`", (project / "README.md").read_text(encoding="utf-8"))
    assert "run --corpus notes" in told and len(told) > 8
    (project / "my-notes").mkdir()
    for line in told:
        _parse_command(karl, shlex.split(line))


def _parse_command(command: click.Command, arguments: list[str]) -> None:
    """Down to the innermost command. Raises: click.ClickException for a wrong name, option or a missing one."""
    name, *rest = arguments
    found = command.get_command(click.Context(command), name) if isinstance(command, click.Group) else None
    assert found is not None, arguments
    if isinstance(found, click.Group):
        _parse_command(found, rest)
    else:
        found.make_context(name, rest)


@pytest.mark.parametrize("variant", ["", "tiny"])
def test_as_it_stands_it_changes_nothing(project: Path, variant: str) -> None:
    settings = load_settings()
    for name in GRAPHS:
        ours, theirs = (load_spec(name, variant=variant, path=path) for path in ([], settings.graph_path))
        assert theirs.sha256 == ours.sha256, name
    given = {"question": "who?", "summary": ""}
    ours, theirs = (load_prompt("solver", variant=variant, path=path) for path in ([], settings.prompt_path))
    rest = {name: 3 for name in ours.variables if name not in given}
    assert theirs.render(**given, **rest) == ours.render(**given, **rest)


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "solver"])
def test_the_example_in_each_graph_works_when_it_is_uncommented(project: Path, name: str) -> None:
    file = Path("graphs", f"{name}.yaml")
    before = load_spec(name).sha256
    file.write_text(uncommented(file.read_text()))
    after = load_spec(name, path=[Path("graphs")])
    assert after.sha256 != before
    # A round of the loop takes as long as it takes: a limit on it would end runs that are well.
    assert name != "iteration" or (after.limits.seconds is None and "check_quality" not in after.nodes)


def test_an_edit_takes_effect_at_once(project: Path, capsys: Capture) -> None:
    file = Path("graphs", "solver.yaml")
    file.write_text(file.read_text().replace("k: 20", "k: 9", 1))
    ended = call(capsys, "graph", "diff", "solver")
    assert ended.code == 1 and "+  search: {k: 9, max_chars: 4000, text: lines," in ended.out


def test_editors_find_the_schema(project: Path) -> None:
    settings = json.loads(Path(".vscode", "settings.json").read_text())
    ((schema, patterns),) = settings["yaml.schemas"].items()
    assert patterns == ["graphs/*.yaml"] and Path(schema).is_file()
    for name in GRAPHS:
        text = Path("graphs", f"{name}.yaml").read_text()
        modeline = re.match(r"# yaml-language-server: \$schema=(.+)\n", text)
        assert modeline is not None
        jsonschema.validate(yaml.safe_load(text), json.loads(Path("graphs", modeline[1]).read_text()))


def test_settings_are_all_there_and_the_defaults(project: Path) -> None:
    text = Path("karl.toml").read_text()
    plain = load_settings(project / "nowhere").model_dump(exclude={"home", "graph_path", "prompt_path"})
    assert load_settings().model_dump(exclude={"home", "graph_path", "prompt_path"}) == plain
    for name in Settings.model_fields:
        assert re.search(rf"^(# )?(\[{name}\]|{name} = )", text, re.MULTILINE), name
    # Uncommented, the plain defaults are still what they were.
    head = text.partition("\n# [")[0]
    values = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", head, flags=re.MULTILINE))
    defaults = Settings().model_dump(mode="json", include=set(values) - {"graph_path", "prompt_path"})
    assert {key: values[key] for key in defaults} == defaults


def test_python_started_in_the_folder_finds_karls_packages(project: Path) -> None:
    # The folder's graphs/ and prompts/ have the names of packages of ours.
    code = "import karl; from karl import load_graph; import prompts, graphs; print(prompts.__file__, graphs.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [prompts.__file__, graphs.__file__], done.stderr


def test_files_that_are_there_are_kept(project: Path, capsys: Capture) -> None:
    Path("karl.toml").write_text("seed = 1\n")
    Path("prompts", "solver.md").unlink()
    told = json.loads(call(capsys, "init", ".", "--json").out)
    assert told["written"] == ["prompts/solver.md"] and "karl.toml" in told["kept"]
    assert Path("karl.toml").read_text() == "seed = 1\n"
    assert "karl.toml: kept; it was there already" in call(capsys, "init").out
    forced = json.loads(call(capsys, "init", "--force", "--json").out)
    assert forced["kept"] == [] and Path("karl.toml").read_text() != "seed = 1\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("")
    assert call(capsys, "init", "taken").code == 2
    Path("half").mkdir()
    Path("half", "graphs").write_text("")
    ended = call(capsys, "init", "half")
    assert ended.code == 2 and ended.err.count("\n") == 1 and "can't be written" in ended.err


def test_python_m_karl_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "karl", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("karl, version ")
