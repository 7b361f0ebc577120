"""`karl graph`: what it prints, what it exits with, and that nothing hides anything else."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from graphs.schema import BUILT_IN, load_spec, parse_spec
from karl.effective import as_yaml
from tests.karl.kit import call

Capture = pytest.CaptureFixture[str]
GRAPHS = sorted(file.stem for file in BUILT_IN.glob("*.yaml"))
MINE = "extends: solver\ntools: {search: {k: 7}}\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose graphs/ and prompts/ shadow the built-in ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "karl.toml").write_text('graph_path = ["graphs"]\nprompt_path = ["prompts"]\n')
    (tmp_path / "graphs").mkdir()
    (tmp_path / "prompts").mkdir()
    return tmp_path


def mine(text: str, name: str = "solver") -> None:
    Path("graphs", f"{name}.yaml").write_text(text)


def test_list_says_where_each_comes_from(capsys: Capture) -> None:
    mine(MINE)
    rows = {row["name"]: row for row in json.loads(call(capsys, "graph", "list", "--json").out)}
    assert sorted(rows) == GRAPHS
    assert rows["solver"]["origin"] == "yours" and rows["solver"]["path"] == "graphs/solver.yaml"
    assert rows["solver"]["shadows"] == [str(BUILT_IN / "solver.yaml")]
    assert rows["dedup"]["origin"] == "built-in" and rows["dedup"]["shadows"] == []
    assert rows["solver"]["sha256"] == load_spec("solver", path=[Path("graphs")]).sha256
    assert rows["solver"]["nodes"] == {"think": "policy", "search": "tool", "compress": "compress"}
    text = call(capsys, "graph", "list").out
    assert f"{rows['solver']['sha256'][:10]}  Searches until it can answer" in text


def test_list_survives_a_broken_file(capsys: Capture) -> None:
    mine("extends: solver\nstart: nowhere\n")
    listed = call(capsys, "graph", "list", "--json")
    rows = {row["name"]: row for row in json.loads(listed.out)}
    assert listed.code == 0 and rows["dedup"]["error"] is None
    assert "graphs/solver.yaml:2:1: key 'start': no node named 'nowhere'" in rows["solver"]["error"]
    assert "no node named 'nowhere'" in call(capsys, "graph", "list").out


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("variant", ["", "tiny"])
def test_what_show_prints_is_a_graph_of_the_same_hash(capsys: Capture, name: str, variant: str) -> None:
    text = call(capsys, "graph", "show", name, "--variant", variant).out
    spec = load_spec(name, variant=variant)
    assert parse_spec(text, source=f"{name}.yaml").sha256 == spec.sha256
    assert text == as_yaml(spec)


def test_show_lays_overrides_and_extended_graphs_together(capsys: Capture) -> None:
    mine(MINE)
    assert yaml.safe_load(call(capsys, "graph", "show", "solver").out)["tools"]["search"]["k"] == 7
    told = json.loads(call(capsys, "graph", "show", "solver", "--variant", "tiny", "--json").out)
    # The file's own figure comes after the overrides of the graph that it extends.
    assert told["graph"]["tools"]["search"]["max_chars"] == 240
    assert yaml.safe_load(call(capsys, "graph", "show", "solver@built-in").out)["tools"]["search"]["k"] == 20
    by_task = call(capsys, "graph", "show", "solver@built-in", "--task", "freshstack").out
    assert yaml.safe_load(by_task)["tools"]["search"]["k"] == 10


def test_show_draws(capsys: Capture, project: Path) -> None:
    assert call(capsys, "graph", "show", "solver", "--mermaid").out.startswith("flowchart TD\n")
    assert "policy: solver" in call(capsys, "graph", "show", "solver", "--ascii").out
    pytest.importorskip("PIL")
    drawn = call(capsys, "graph", "show", "solver", "--png", "solver.png")
    assert (drawn.code, drawn.out) == (0, "") and "solver.png: written" in drawn.err
    assert (project / "solver.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_name_ends_with_one_line(capsys: Capture) -> None:
    for command in ("show", "hash", "diff"):
        ended = call(capsys, "graph", command, "solvr")
        assert ended.code == 2 and ended.err.count("\n") == 1 and "did you mean 'solver'" in ended.err


@pytest.mark.parametrize("command", ["show", "hash", "diff"])
@pytest.mark.parametrize(
    ("option", "name", "near"), [("--task", "freshstak", "freshstack"), ("--variant", "tinny", "tiny")]
)
def test_an_unknown_occasion_ends_with_one_line(capsys: Capture, command: str, option: str, name: str, near: str):
    ended = call(capsys, "graph", command, "solver", option, name)
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert f"no {option[2:]} '{name}' in solver; there are: " in ended.err and f"did you mean '{near}'" in ended.err
    assert ("tiny" in ended.err) == (option == "--variant")


def test_occasions_that_one_side_of_a_diff_or_a_folder_of_prompts_knows(capsys: Capture, project: Path) -> None:
    mine("extends: dedup\noverrides: {acme: {nodes: {near: {top: 3}}}}\n", "dedup")
    assert "top: 3" in call(capsys, "graph", "diff", "dedup", "--task", "acme").out
    assert call(capsys, "graph", "show", "dedup", "--variant", "novel").code == 2
    (project / "prompts" / "novel").mkdir()
    (project / "prompts" / "novel" / "solver.md").write_text("---\ndescription: d\n---\nAnswer.\n")
    assert call(capsys, "graph", "show", "dedup", "--variant", "novel").code == 0


def test_hash_is_that_of_the_rollouts(capsys: Capture) -> None:
    lines = call(capsys, "graph", "hash", "solver").out.splitlines()
    assert lines[0] == f"{load_spec('solver').sha256}  solver"
    assert f"{load_spec('solver', variant='tiny').sha256}  solver for tiny" in lines
    assert f"{load_spec('solver', tasks=['freshstack']).sha256}  solver for freshstack" in lines
    hashes = json.loads(call(capsys, "graph", "hash", "solver", "--json").out)["overrides"]
    assert hashes["tiny"] == load_spec("solver", variant="tiny").sha256
    assert (
        call(capsys, "graph", "hash", "quality_filter").out == f"{load_spec('quality_filter').sha256}  quality_filter\n"
    )
    told = json.loads(call(capsys, "graph", "hash", "solver", "--variant", "tiny", "--json").out)
    assert told == {
        "name": "solver", "variant": "tiny", "tasks": [], "sha256": load_spec("solver", variant="tiny").sha256
    }  # fmt: skip


def test_diff_compares_what_takes_effect(capsys: Capture) -> None:
    mine("# only a comment\nextends: solver\n")
    assert call(capsys, "graph", "diff", "solver") == (0, "", "")
    mine(MINE)
    ended = call(capsys, "graph", "diff", "solver")
    assert ended.code == 1
    assert ended.out.splitlines()[:2] == ["--- solver@built-in", "+++ solver"]
    rest = "max_chars: 4000, text: lines, seen: repeat, queries: 1}"
    assert f"-  search: {{k: 20, {rest}\n+  search: {{k: 7, {rest}\n" in ended.out
    files = call(capsys, "graph", "diff", "solver@built-in", "graphs/solver.yaml")
    assert files.out.splitlines()[2:] == ended.out.splitlines()[2:]


def test_a_diff_names_the_overrides_that_differ(capsys: Capture) -> None:
    mine("extends: solver\noverrides: {tiny: {tools: {search: {k: 2}}}}\n")
    ended = call(capsys, "graph", "diff", "solver")
    assert (ended.code, ended.out) == (1, "# differs otherwise for: tiny; --task NAME or --variant NAME shows how\n")
    told = call(capsys, "graph", "diff", "solver", "--variant", "tiny")
    assert told.code == 1 and "+  search: {k: 2" in told.out and "differs otherwise" not in told.out
    mine("extends: solver\ndescription: Mine.\n")
    assert "differs otherwise" not in call(capsys, "graph", "diff", "solver").out


def test_one_form_at_a_time(capsys: Capture) -> None:
    for forms in (("--ascii", "--mermaid"), ("--mermaid", "--ascii"), ("--ascii", "--json")):
        ended = call(capsys, "graph", "show", "solver", *forms)
        assert (ended.code, ended.out) == (2, "") and "give one of them" in ended.err


def test_a_graph_of_ones_own_has_no_built_in_one(capsys: Capture) -> None:
    mine(MINE, "mine")
    for arguments in (["diff", "mine"], ["diff", "graphs/mine.yaml"], ["copy", "mine"], ["hash", "mine@built-in"]):
        ended = call(capsys, "graph", *arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1
        assert "graphs/mine.yaml: this graph is yours alone; there is no built-in 'mine' to compare it" in ended.err
    assert "+  search: {k: 7" in call(capsys, "graph", "diff", "solver", "mine").out


def test_validate_finds_nothing_in_what_is_shipped(capsys: Capture) -> None:
    checked = call(capsys, "graph", "validate", "--strict")
    assert (checked.code, checked.out) == (0, "")
    assert checked.err == f"{len(GRAPHS)} graphs, 0 findings\n"


def test_validate_tells_all_problems_of_all_files(capsys: Capture) -> None:
    mine("extends: solver\ntools: {search: {kk: 7}}\nsampling: {max_tokens: many}\n")
    mine("extends: dedup\nnodes:\n  near: {judge: duplicat}\n", "dedup")
    ended = call(capsys, "graph", "validate", "graphs")
    lines = ended.out.splitlines()
    assert ended.code == 1 and ended.err == "2 graphs, 3 findings\n"
    assert lines[0].startswith("graphs/dedup.yaml:3:10: error: key 'nodes.near.judge': ")
    assert lines[1].startswith("graphs/solver.yaml:2:18: error: key 'tools.search.kk': unknown key")
    assert lines[2].startswith("graphs/solver.yaml:3:12: error: key 'sampling.max_tokens': ")


BROKEN = [
    ("extends: solver\nedges:\n  think: {answer: nowhere}\n", "graphs/mine.yaml:3:11: error: key 'edges.think.answer'"),
    ("extends: solver\noverrides:\n  tiny:\n    tols: {}\n", "graphs/mine.yaml:4:5: error: key 'overrides.tiny.tols'"),
    ("extends: solver\nnodes:\n  think: {prompt: solvr}\n", "graphs/mine.yaml:3:11: error: key 'nodes.think.prompt'"),
    (
        "extends: solver\nnodes:\n  think: {prompt: moody}\n",
        "graphs/mine.yaml:3:11: error: key 'nodes.think.prompt': prompts/moody.md: nothing supplies 'mood'",
    ),
    (
        "extends: dedup\nnodes:\n  exact: {function: 'graphs.dedup:nothing'}\n",
        "graphs/mine.yaml:3:11: error: key 'nodes.exact.function': python node 'graphs.dedup:nothing'",
    ),
    (
        "extends: aggregator\nnodes:\n  attempts: {graph: solvr}\n",
        "graphs/mine.yaml:3:14: error: key 'nodes.attempts.graph': no graph named 'solvr'",
    ),
    (
        "extends: aggregator\nnodes:\n  attempts:\n    changes: {plugins: [{kind: step_budget, stepz: 3}]}\n",
        "graphs/mine.yaml:4:45: error: key 'nodes.attempts.changes.plugins.0.stepz': unknown key",
    ),
    (
        "extends: aggregator\noverrides:\n  tiny:\n    nodes: {attempts: {changes: {startt: think}}}\n",
        "graphs/mine.yaml:4:34: error: key 'overrides.tiny.nodes.attempts.changes.startt': unknown key",
    ),
    (
        "extends: aggregator\nnodes: {attempts: {graph: yours}}\n",
        "graphs/yours.yaml:2:20: error: key 'nodes.attempts.graph': graph 'mine' runs itself (mine > yours > mine)",
    ),
    (
        "extends: iteration\nnodes: {solve: {graph: qa_generator}}\n",
        "graphs/mine.yaml:2:17: error: key 'nodes.solve.graph': the stage 'solve' runs a graph of the role solver",
    ),
    (
        "extends: iteration\nnodes: {solve: {graph: cool}}\n",
        "graphs/cool.yaml:2:12: error: key 'sampling.temperature': 0.7, but rollouts to train on",
    ),
    ("extend: solver\n",
     "graphs/mine.yaml:1:1: error: key 'extend': unknown key; expected one of candidates, description, edges, extends, "
     "limits, name, nodes, overrides, plugins, role, sampling, start, state, tools; did you mean 'extends'"),
    ("tools: {search: {k: 3}}\n", "graphs/mine.yaml:1:1: error: it has no 'nodes' and no 'edges'; put 'extends: NAME'"),
    ("extends: solver\nnodes: [think]\n",
     "graphs/mine.yaml:2:1: error: key 'nodes': expected keys and values, found a list"),
    ("extends: solver\ndescription: 3\n",
     "graphs/mine.yaml:2:1: error: key 'description': expected text, found 3; put it in quotes"),
    ("extends: solver\nplugins: {kind: step_budget}\n",
     "graphs/mine.yaml:2:1: error: key 'plugins': expected a list, found keys and values"),
    ("extends: solver\nplugins: [step_budget]\n",
     "graphs/mine.yaml:2:11: error: key 'plugins.0': expected keys and values; write '{kind: step_budget, ...}'"),
    ("extends: solver\nlimits: {seconds: .inf}\n",
     "graphs/mine.yaml:2:10: error: key 'limits.seconds': expected a finite number, found inf"),
    ("extends: solver\nplugins: [{kind: time_budget, seconds: .nan}]\n",
     "graphs/mine.yaml:2:31: error: key 'plugins.0.seconds': expected a finite number, found nan"),
    ("extends: quality_filter\nnodes: {decide: {top: 3, threshold: 0.9}}\n",
     "graphs/mine.yaml:2:18: error: key 'nodes.decide.top': the judge 'quality' compares nothing; take 'top' out"),
    ("extends: quality_filter\nnodes: {decide: {threshold: 0.9}}\n",
     "graphs/mine.yaml:2:18: error: key 'nodes.decide.threshold': the judge 'quality' compares nothing; take"),
    ("extends: [\n", "graphs/mine.yaml:2:1: error: not valid YAML"),
    ("extends: mine\n", "graphs/mine.yaml:1:1: error: key 'extends'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_validate_looks_at_all_that_a_graph_names(capsys: Capture, text: str, told: str) -> None:
    Path("prompts", "moody.md").write_text("---\ndescription: d\nvariables:\n  mood: {type: string}\n---\n{{ mood }}\n")
    mine("extends: aggregator\nnodes: {attempts: {graph: mine}}\n", "yours")
    mine("extends: solver\nsampling: {temperature: 0.7}\n", "cool")
    mine(text, "mine")
    ended = call(capsys, "graph", "validate", "graphs/mine.yaml")
    assert ended.code == 1 and any(line.startswith(told) for line in ended.out.splitlines()), ended.out


def test_warnings_count_only_when_strict(capsys: Capture) -> None:
    mine("extends: solver\nplugins: [{kind: step_budget, steps: 9}]\n", "mine")
    ended = call(capsys, "graph", "validate", "graphs/mine.yaml")
    placed = f"graphs/mine.yaml:2:1: warning: key 'plugins': laid over {BUILT_IN / 'solver.yaml'}:"
    assert ended.code == 0 and ended.out.startswith(placed), ended.out
    assert "key 'edges.search.compress': this route is never taken" in ended.out
    assert ended.out.endswith("add the plugin, or write 'edges: {search: {compress: null}}'\n")
    assert call(capsys, "graph", "validate", "graphs/mine.yaml", "--strict").code == 1
    mine("extends: solver\nlimits: {super_steps: 100}\n", "mine")
    assert (
        "mine.yaml:2:10: warning: key 'limits.super_steps': 100 super-steps may end"
        in call(capsys, "graph", "validate", "graphs/mine.yaml").out
    )


def test_a_copy_that_forgets_overrides_is_warned_of(capsys: Capture) -> None:
    text = (BUILT_IN / "solver.yaml").read_text()
    mine(text[: text.index("overrides:")])
    told = call(capsys, "graph", "validate", "graphs").out
    assert "graphs/solver.yaml:1:1: warning: key 'overrides': the built-in graph has overrides for 'tiny'" in told


def test_a_file_that_no_name_finds_is_warned_of(capsys: Capture) -> None:
    Path("graphs", "mine.yml").write_text(MINE)
    Path("graphs", "My Graph.yaml").write_text(MINE)
    told = "not in effect: only files NAME.yaml are, NAME of small letters, digits and _; call it"
    for arguments in ([], ["graphs"]):
        ended = call(capsys, "graph", "validate", *arguments)
        assert (ended.code, ended.out.splitlines()) == (0, [
            f"graphs/My Graph.yaml:1:1: warning: {told} my_graph.yaml",
            f"graphs/mine.yml:1:1: warning: {told} mine.yaml",
        ])  # fmt: skip
    assert call(capsys, "graph", "validate", "--strict").code == 1
    listed = call(capsys, "graph", "list")
    assert listed.code == 0 and listed.err.endswith(f"karl: graphs/mine.yml: {told} mine.yaml\n")
    ended = call(capsys, "graph", "validate", "graphs/My Graph.yaml")
    assert ended.code == 1 and "a graph's name is small letters, digits and _; call the file my_graph.yaml" in ended.out


def test_findings_as_json(capsys: Capture) -> None:
    mine("extends: solver\nstart: thnk\n")
    (finding,) = json.loads(call(capsys, "graph", "validate", "graphs", "--json").out)
    assert (finding["path"], finding["line"], finding["column"], finding["level"]) == (
        "graphs/solver.yaml",
        2,
        1,
        "error",
    )
    assert "did you mean 'think'" in finding["message"]


def test_the_schema_takes_what_karl_takes(capsys: Capture, project: Path) -> None:
    assert call(capsys, "graph", "schema", "--output", "s.json").out == ""
    schema = json.loads((project / "s.json").read_text())
    assert schema == json.loads(call(capsys, "graph", "schema").out)
    for file in BUILT_IN.glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(file.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load("extends: solver\ntools: {search: {kk: 1}}\n"), schema)


def test_the_schema_that_editors_use_in_this_repository_is_the_newest(capsys: Capture) -> None:
    written = Path(__file__).parents[2] / "docs" / "graph.schema.json"
    assert json.loads(written.read_text()) == json.loads(call(capsys, "graph", "schema").out), (
        "the graph language has changed: karl graph schema --output docs/graph.schema.json"
    )
