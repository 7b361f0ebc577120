"""`karl prompt`: listing, rendering, comparing and checking what the policy is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompts.loader import BUILT_IN, load_prompt
from tests.karl.kit import call

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "karl.toml").write_text('prompt_path = ["prompts"]\n')
    (tmp_path / "prompts").mkdir()
    return tmp_path


def mine(old: str, new: str, name: str = "solver") -> Path:
    """A copy of a built-in prompt, changed."""
    text = (BUILT_IN / f"{name}.md").read_text()
    assert old in text
    path = Path("prompts", f"{name}.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace(old, new, 1))
    return path


def test_list_has_every_prompt_and_variant(capsys: Capture) -> None:
    mine("version: ", "version: 1")
    rows = json.loads(call(capsys, "prompt", "list", "--json").out)
    found = {(row["name"], row["variant"]): row for row in rows}
    assert len(found) == len([*BUILT_IN.glob("*.md"), *BUILT_IN.glob("tiny/*.md")])
    assert found["solver", ""]["origin"] == "yours" and found["solver", "tiny"]["origin"] == "built-in"
    assert found["solver", "tiny"]["sha256"] == load_prompt("solver", variant="tiny").sha256
    assert found["search_result", ""]["variables"] == {"hits": "list"}
    assert "tiny" in call(capsys, "prompt", "list").out


def test_list_survives_a_broken_file(capsys: Capture) -> None:
    mine("description:", "descripton:")
    rows = json.loads(call(capsys, "prompt", "list", "--json").out)
    (broken,) = [row for row in rows if row["error"]]
    assert broken["name"] == "solver" and "unknown key" in broken["error"]


def test_show_prints_the_file_or_what_the_policy_reads(capsys: Capture) -> None:
    assert call(capsys, "prompt", "show", "solver").out == (BUILT_IN / "solver.md").read_text()
    shown = call(capsys, "prompt", "show", "solver", "--var", "question=Who leads Falcon = x?", "--var", "steps=7")
    assert "Who leads Falcon = x?" in shown.out and "7 turns" in shown.out and "{{" not in shown.out
    assert "karl: left empty: summary" in shown.err
    tiny = call(capsys, "prompt", "show", "solver", "--variant", "tiny", "--var", "question=who?", "--var", "summary=")
    assert (tiny.out, tiny.err) == ("answer: who?\n", "")


def test_lists_are_given_as_json(capsys: Capture) -> None:
    hits = json.dumps([{"n": 1, "title": "Note", "text": "mira leads", "key": "k", "page": 3}])
    shown = call(capsys, "prompt", "show", "search_result", "--var", f"hits={hits}", "--json")
    told = json.loads(shown.out)
    assert told["rendered"].startswith("[1] Note, page 3\n") and told["rendered"].endswith("\nmira leads")
    assert told["sha256"] == load_prompt("search_result").sha256


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("question", "'question' is no VARIABLE=VALUE"),
        ("steps=many", "'steps' is of type integer; write it as JSON"),
        ("steps=1.5", "variable 'steps': expected integer, got float"),
        ("qestion=x", "unknown variable 'qestion'"),
    ],
)
def test_a_wrong_value_is_told(capsys: Capture, pair: str, told: str) -> None:
    ended = call(capsys, "prompt", "show", "solver", "--var", pair)
    assert ended.code == 2 and told in ended.err


def test_diff_is_against_the_built_in_one(capsys: Capture) -> None:
    assert call(capsys, "prompt", "diff", "solver").code == 0
    path = mine("{{ question }}", "Now: {{ question }}")
    ended = call(capsys, "prompt", "diff", "solver")
    assert ended.code == 1 and "-{{ question }}" in ended.out and "+Now: {{ question }}" in ended.out
    assert ended.out.startswith(f"--- {BUILT_IN / 'solver.md'}\n+++ {path}\n")
    assert call(capsys, "prompt", "diff", "solver@built-in", "solver").out == ended.out
    assert call(capsys, "prompt", "diff", "solver@built-in", str(path)).out == ended.out


def test_lint_finds_nothing_in_what_is_shipped(capsys: Capture) -> None:
    checked = call(capsys, "prompt", "lint", "--strict")
    assert (checked.code, checked.out) == (0, "")


def test_lint_tells_levels_by_its_exit_code(capsys: Capture) -> None:
    path = mine("{{ question }}", "{{ question }}  ")
    warned = call(capsys, "prompt", "lint", "prompts")
    assert warned.code == 0 and warned.out.endswith("warning: spaces at the end of the line [trailing-space]\n")
    path.write_text(path.read_text().replace("{{ question }}", "{{ question }} {{ frist }}"))
    broken = call(capsys, "prompt", "lint", "prompts", "--json")
    (finding,) = json.loads(broken.out)
    assert broken.code == 1 and finding["level"] == "error" and "'frist'" in finding["message"]
    assert "frist" in path.read_text().splitlines()[finding["line"] - 1]


def test_a_variant_of_ones_own_is_linted_as_one(capsys: Capture, project: Path) -> None:
    (project / "prompts" / "mine").mkdir()
    (project / "prompts" / "mine" / "solver.md").write_text((BUILT_IN / "tiny" / "solver.md").read_text())
    assert call(capsys, "prompt", "lint", "prompts", "--strict").code == 0


def test_a_prompt_of_ones_own_has_no_built_in_one(capsys: Capture) -> None:
    Path("prompts", "verify.md").write_text("---\ndescription: d\n---\nAnswer.\n")
    told = "karl: prompts/verify.md: this prompt is yours alone; there is no built-in 'verify' to compare it with"
    for arguments in (
        ["diff", "verify"],
        ["diff", "prompts/verify.md"],
        ["copy", "verify"],
        ["show", "verify@built-in"],
    ):
        ended = call(capsys, "prompt", *arguments)
        assert ended.code == 2 and ended.err.startswith(told) and ended.err.count("\n") == 1, ended.err
    assert "did you mean 'solver'" in call(capsys, "prompt", "diff", "solvr").err


@pytest.mark.parametrize("command", ["show", "diff", "copy"])
def test_an_unknown_variant_is_refused(capsys: Capture, command: str) -> None:
    ended = call(capsys, "prompt", command, "solver", "--variant", "tinny")
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert "no variant 'tinny' of any prompt; there are: tiny; did you mean 'tiny'?" in ended.err


def test_a_policy_that_only_graphs_know_reads_the_plain_prompts(capsys: Capture, project: Path) -> None:
    (project / "karl.toml").write_text('prompt_path = ["prompts"]\ngraph_path = ["graphs"]\n')
    (project / "graphs").mkdir()
    assert call(capsys, "prompt", "show", "solver", "--variant", "novel").code == 2
    (project / "graphs" / "broken.yaml").write_text("[\n")
    (project / "graphs" / "mine.yaml").write_text("extends: solver\noverrides: {novel: {tools: {search: {k: 3}}}}\n")
    assert call(capsys, "prompt", "show", "solver", "--variant", "novel").out == (BUILT_IN / "solver.md").read_text()


def test_prompts_that_no_name_finds_and_empty_ones_are_warned_of(capsys: Capture) -> None:
    Path("prompts", "My-Solver.md").write_text("x")
    Path("prompts", "README.md").write_text("About these.")
    Path("prompts", "mute.md").write_text("---\ndescription: says nothing\n---\n")
    told = "not in effect: only files NAME.md are, NAME of small letters, digits and _; call it my_solver.md"
    for arguments in ([], ["prompts"]):
        ended = call(capsys, "prompt", "lint", *arguments)
        assert ended.code == 0 and ended.out.splitlines() == [
            "prompts/mute.md:4:1: warning: nothing stands below the front matter: the policy is told nothing [empty]",
            f"prompts/My-Solver.md:1:1: warning: {told} [misnamed]",
        ]
    assert f"karl: prompts/My-Solver.md: {told}" in call(capsys, "prompt", "list").err
