"""Graphs laid over graphs: what merges, what replaces, what null removes, and where a complaint points."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs.schema import BUILT_IN, GraphSpec, PolicyNode, ValueSelectNode, load_spec, merge, parse_spec, read_spec
from store.errors import UsageError


def write(folder: Path, **graphs: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, text in graphs.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return [folder]


def steps(spec: GraphSpec) -> int:
    return next(plugin.steps for plugin in spec.plugins if plugin.kind == "step_budget")


def k(spec: GraphSpec) -> int:
    assert spec.tools.search is not None
    return spec.tools.search.k


def test_a_file_that_extends_its_own_name_lies_over_the_built_in(tmp_path: Path) -> None:
    path = write(tmp_path, solver="extends: solver\ntools:\n  search: {k: 7}\n")
    spec, shipped = load_spec("solver", path=path), load_spec("solver")
    assert (k(spec), k(shipped)) == (7, 20)
    assert spec.nodes == shipped.nodes and spec.name == "solver" and spec.description == shipped.description
    assert spec.sha256 != shipped.sha256


def test_the_hash_is_of_the_effective_form(tmp_path: Path) -> None:
    path = write(tmp_path, solver="extends: solver\ntools: {search: {k: 20}}\n")
    assert load_spec("solver", path=path).sha256 == load_spec("solver").sha256


def test_a_graph_is_named_after_its_file_not_after_what_it_extends(tmp_path: Path) -> None:
    path = write(tmp_path, careful="extends: solver\nsampling: {max_tokens: 512}\n")
    spec = load_spec("careful", path=path)
    assert (spec.name, spec.sampling.max_tokens, spec.sampling.temperature) == ("careful", 512, 1.0)


def test_folders_lie_over_one_another(tmp_path: Path) -> None:
    path = [
        *write(tmp_path / "mine", solver="extends: solver\nlimits: {seconds: 9}\n"),
        *write(tmp_path / "ours", solver="extends: solver\ntools: {search: {k: 7}}\n"),
    ]
    spec = load_spec("solver", path=path)
    assert (k(spec), spec.limits.seconds, steps(spec)) == (7, 9.0, 200)
    beside = read_spec(path[0] / "solver.yaml", path=path)
    assert beside.sha256 == spec.sha256


def test_a_file_outside_the_path_extends_what_lies_beside_it(tmp_path: Path) -> None:
    write(tmp_path, base="extends: solver\ntools: {search: {k: 4}}\n", leaf="extends: base\n")
    assert k(read_spec(tmp_path / "leaf.yaml")) == 4


def test_null_removes_a_node_with_its_edge_and_a_route(tmp_path: Path) -> None:
    text = (
        "extends: solver\nplugins: [{kind: step_budget, steps: 3}]\nnodes: {compress: null}\n"
        "edges:\n  search: {compress: null}\n"
    )
    spec = load_spec("short", path=write(tmp_path, short=text))
    assert set(spec.nodes) == set(spec.edges) == {"think", "search"} and spec.routes("search") == {"ok": "think"}


def test_null_gives_a_setting_its_default_back() -> None:
    assert merge({"tools": {"search": {"k": 3}}}, {"tools": {"search": {"k": None}}}) == {"tools": {"search": {}}}


def test_a_list_replaces_and_a_node_keeps_what_its_new_kind_knows(tmp_path: Path) -> None:
    text = "extends: solver\nnodes:\n  think: {kind: value_select, candidates: 4}\n"
    spec = load_spec("guided", path=write(tmp_path, guided=text))
    node, before = spec.nodes["think"], load_spec("solver").nodes["think"]
    assert isinstance(node, ValueSelectNode) and isinstance(before, PolicyNode)
    assert (node.prompt, node.candidates) == (before.prompt, 4)
    again = "extends: solver\nplugins: [{kind: token_budget, tokens: 99}]\n"
    spec = load_spec("one", path=write(tmp_path, one=again))
    assert [plugin.kind for plugin in spec.plugins] == ["token_budget"]


def test_tasks_come_before_the_variant_and_a_nearer_file_after_both(tmp_path: Path) -> None:
    assert steps(load_spec("solver", tasks=["trec_biogen"])) == 50
    assert steps(load_spec("solver", variant="tiny", tasks=["trec_biogen"])) == steps(
        load_spec("solver", variant="tiny")
    )
    assert k(load_spec("solver", tasks=["freshstack"])) == 10 and k(load_spec("solver", tasks=["unheard_of"])) == 20
    assert steps(load_spec("solver", tasks=["trec_biogen", "browsecomp_plus"])) == 200
    path = write(tmp_path, solver="extends: solver\nplugins: [{kind: step_budget, steps: 2}]\n")
    assert steps(load_spec("solver", variant="tiny", path=path)) == 2


def test_an_override_can_be_taken_out(tmp_path: Path) -> None:
    path = write(tmp_path, solver="extends: solver\noverrides: {tiny: null}\n")
    assert load_spec("solver", variant="tiny", path=path).sha256 == load_spec("solver").sha256


def test_changes_lie_on_top_and_are_checked() -> None:
    assert k(load_spec("solver", variant="tiny", changes={"tools": {"search": {"k": 11}}})) == 11
    with pytest.raises(UsageError, match=r"^changes to 'solver': key 'tools\.search\.kk': unknown key.*mean 'k'"):
        load_spec("solver", changes={"tools": {"search": {"kk": 1}}})


BROKEN = [
    # what stands in my.yaml, the message
    ("extends: solvr\n", r"my\.yaml:1:1: key 'extends': no graph named 'solvr'.*did you mean 'solver'"),
    ("extends: my\n", r"my\.yaml:1:1: key 'extends': no graph named 'my'"),
    ("extends: one\n", r"two\.yaml:1:1: key 'extends': a graph can't extend itself: my > one > two > one"),
    ("extends: Big\n", r"my\.yaml:1:1: key 'extends': String should match pattern"),
    ("extends: solver\nname: your\n", r"my\.yaml:2:1: key 'name': 'your', but the file is my\.yaml; call it 'my'"),
    ("extends: solver\nnodes:\n  think: {promt: x}\n",
     r"my\.yaml:3:11: key 'nodes\.think\.promt': unknown key.*'prompt'"),
    # The key's path goes through the kind of the node, and a judge node has a key 'judge' of its own.
    ("extends: dedup\nnodes:\n  near: {tp: 3}\n",
     r"my\.yaml:3:10: key 'nodes\.near\.tp': unknown key.*did you mean 'top'"),
    ("extends: solver\nnodes:\n  search: {tool: search, resutl: x}\n",
     r"my\.yaml:3:26: key 'nodes\.search\.resutl': unknown key.*did you mean 'result'"),
    ("extends: iteration\nnodes:\n  solve: {stage: solve, grph: solver}\n",
     r"my\.yaml:3:25: key 'nodes\.solve\.grph': unknown key.*did you mean 'graph'"),
    ("extends: dedup\nnodes:\n  near: {judge: duplicate, threshold: 3}\n",
     r"my\.yaml:3:28: key 'nodes\.near\.threshold': Input should be less than or equal to 1 \(found 3\)"),
    ("extends: solver\nstart: thnk\n", r"my\.yaml:2:1: key 'start': no node named 'thnk'.*did you mean 'think'"),
    ("extends: solver\nstart: null\n", r"my\.yaml:2:1: key 'start': the key 'start' is missing"),
    ("extends: solver\nnodes: {compres: null}\n",
     r"my\.yaml:2:9: key 'nodes\.compres': null removes .* no such node; .*did you mean 'compress'"),
    ("extends: solver\nedges: {search: {compres: null}}\n",
     r"my\.yaml:2:18: key 'edges\.search\.compres': null removes .* no such route; .*did you mean 'compress'"),
    ("extends: solver\nnodes: {compress: null}\n",
     r"my\.yaml:2:9: key 'nodes\.compress': laid over .*graphs/solver\.yaml:\d+:\d+, key 'edges\.search\.compress': "
     r"no node named 'compress' \(.*my\.yaml:2:9 removes it\)"),
    ("extends: solver\nplugins: []\n",
     r"my\.yaml:2:1: key 'plugins': laid over .*solver\.yaml:\d+:\d+, key 'edges\.think': a loop without a limit"),
    ("extends: plain\nplugins: []\n",
     r"my\.yaml:2:1: key 'plugins': laid over .*solver\.yaml:\d+:\d+, key 'edges\.think': a loop without a limit"),
    ("extends: whole\nplugins: []\n",
     r"my\.yaml:2:1: key 'plugins': laid over .*whole\.yaml:\d+:\d+, key 'edges\.think': a loop without a limit"),
    ("extends: whole\nnodes: {compress: null}\n",
     r"my\.yaml:2:9: key 'nodes\.compress': laid over .*whole\.yaml:\d+:\d+, key 'edges\.search\.compress': no node"),
    ("extends: lost\ntools: {search: {k: 3}}\nplugins: [{kind: step_budget, steps: 3}]\n",
     r"lost\.yaml:2:1: key 'start': no node named 'thnk'"),
    ("extends: unbound\ntools: {search: {k: 3}}\n",
     r"unbound\.yaml:2:1: key 'plugins': laid over .*solver\.yaml:\d+:\d+, key 'edges\.think': a loop without"),
    ("extends: solver\nstate: set\n",
     r"my\.yaml:2:1: key 'state': laid over .*, key 'nodes\.think': a policy node works on the state 'rollout'"),
    ("extends: solver\noverrides: {tiny: {plugins: []}}\n",
     r"my\.yaml:2:20: key 'overrides\.tiny\.plugins': laid over .*, key 'edges\.think': a loop without a limit"),
    ("extends: solver\noverrides:\n  trec:\n    sampling: {top_q: 1}\n",
     r"my\.yaml:4:16: key 'overrides\.trec\.sampling\.top_q': unknown key.*did you mean 'top_p'"),
    ("extends: solver\noverrides: {big-one: {}}\n", r"my\.yaml:2:\d+: key 'overrides\.big-one.*should match pattern"),
    ("extends: solver\noverrides:\n  trec: {plugins: [{kind: step_budget, steps: 0}]}\n",
     r"my\.yaml:3:\d+: key 'overrides\.trec\.plugins\.0\.steps': .*greater than or equal to 1"),
]  # fmt: skip


# A user's own file is placed where it stands, whatever lies over it.
BASES = {
    "plain": "extends: solver\n",
    "unbound": "extends: solver\nplugins: []\n",
    "lost": "extends: solver\nstart: thnk\n",
    "whole": (BUILT_IN / "solver.yaml").read_text(encoding="utf-8").replace("name: solver\n", ""),
}


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_complaint_names_the_file_in_which_it_can_be_mended(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, my=text, one="extends: two\n", two="extends: one\n", **BASES)
    with pytest.raises(UsageError, match=message):
        load_spec("my", path=path)


def test_where_keys_stand_is_no_part_of_what_a_graph_is() -> None:
    text = "description: d\nrole: solver\nstart: a\nnodes: {a: {kind: policy, prompt: solver}}\nedges: {a: end}\n"
    assert parse_spec(text, source="a/b.yaml") == parse_spec("# moved\n" + text, source="b.yaml")


def test_an_empty_section_of_overrides_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, solver="extends: solver\noverrides:\n")
    assert load_spec("solver", variant="tiny", path=path).sha256 == load_spec("solver", variant="tiny").sha256
