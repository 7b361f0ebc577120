"""The bootstrapping loop as a graph: its stages in the graph's order, its checks, what a user may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.errors import RolloutTimeoutError
from graphs.iteration import graph_of, run_iteration, stages
from graphs.library import Library
from graphs.schema import StageNode, load_spec
from graphs.state import GraphState
from store.errors import UsageError

ORDER = ["synthesize", "deduplicate", "solve", "filter", "check_quality", "snapshot", "train", "evaluate"]


class Diary:
    """An iteration that only notes what it is asked to do."""

    def __init__(self) -> None:
        self.pages: list[tuple[str, str | None]] = []

    async def carry_out(self, node: StageNode) -> None:
        self.pages.append((node.stage, node.runs))


def shadow(folder: Path, text: str, **graphs: str) -> list[Path]:
    for name, content in {"iteration": text, **graphs}.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    return [folder]


async def test_the_shipped_loop_runs_every_stage_with_its_graph() -> None:
    diary = Diary()
    await run_iteration(load_spec("iteration"), diary)
    assert [stage for stage, _ in diary.pages] == ORDER
    assert dict(diary.pages) == {
        "synthesize": "qa_generator",
        "deduplicate": "dedup",
        "solve": "solver",
        "filter": None,
        "check_quality": "quality_filter",
        "snapshot": None,
        "train": None,
        "evaluate": "solver",
    }


async def test_a_stage_is_taken_out_and_a_graph_swapped(tmp_path: Path) -> None:
    text = "extends: iteration\nnodes: {check_quality: null, solve: {graph: my_solver}}\nedges: {filter: snapshot}\n"
    path = shadow(tmp_path, text, my_solver="extends: solver\ntools: {search: {k: 5}}\n")
    library, diary = Library(graph_path=path), Diary()
    spec = library.get("iteration").spec
    await run_iteration(spec, diary)
    assert [stage for stage, _ in diary.pages] == [stage for stage in ORDER if stage != "check_quality"]
    assert ("solve", "my_solver") in diary.pages and ("evaluate", "solver") in diary.pages
    assert (graph_of(spec, "solve"), graph_of(spec, "check_quality")) == ("my_solver", "quality_filter")
    assert spec.sha256 != load_spec("iteration").sha256 and len(list(stages(spec))) == 7
    search = library.get("my_solver").spec.tools.search
    assert search is not None and search.k == 5


HOOK = """
from typing import Any
from graphs.state import GraphState
async def tell(state: GraphState) -> dict[str, Any]:
    state.values["iteration"].pages.append(("hook", None))
    return {}
"""


async def test_a_function_of_ones_own_between_two_stages(tmp_path: Path) -> None:
    (tmp_path / "loop_hooks.py").write_text(HOOK, encoding="utf-8")
    text = (
        "extends: iteration\nnodes: {tell: {kind: python, function: 'loop_hooks:tell'}}\n"
        "edges: {solve: tell, tell: filter}\n"
    )
    diary = Diary()
    await run_iteration(load_spec("iteration", path=shadow(tmp_path, text)), diary)
    assert [stage for stage, _ in diary.pages][2:5] == ["solve", "hook", "filter"]


async def test_a_stage_that_fails_ends_the_iteration() -> None:
    class Broken(Diary):
        async def carry_out(self, node: StageNode) -> None:
            await super().carry_out(node)
            if node.stage == "solve":
                raise OSError("disk full")

    diary = Broken()
    with pytest.raises(OSError, match="disk full"):
        await run_iteration(load_spec("iteration"), diary)
    assert diary.pages[-1][0] == "solve"


async def test_a_stage_that_takes_too_long(tmp_path: Path) -> None:
    class Slow(Diary):
        async def carry_out(self, node: StageNode) -> None:
            import asyncio

            await asyncio.sleep(5)

    path = shadow(tmp_path, "extends: iteration\nnodes: {synthesize: {limits: {seconds: 0.05}}}\n")
    with pytest.raises(RolloutTimeoutError, match=r"node 'synthesize' took more than 0\.05 s"):
        await run_iteration(load_spec("iteration", path=path), Slow())


BROKEN = [
    ("nodes: {deduplicate: null}\nedges: {synthesize: solve}\n",
     r"key 'nodes\.solve': the stage 'solve' goes on from 'deduplicate'; put a deduplicate stage before it"),
    ("nodes: {snapshot: null}\nedges: {check_quality: train}\n",
     r"key 'nodes\.train': the stage 'train' goes on from 'snapshot'"),
    ("nodes: {again: {kind: stage, stage: train}}\nedges: {train: again, again: evaluate}\n",
     r"iteration\.yaml:2:9: key 'nodes\.again': the stage 'train' stands there 2 times"),
    ("nodes: {train: {graph: solver}}\n",
     r"iteration\.yaml:2:17: key 'nodes\.train\.graph': the stage 'train' runs no agent graph; take 'graph' out"),
    ("edges: {filter: snapshot, snapshot: check_quality, check_quality: train}\n",
     r"key 'nodes\.check_quality': the stage 'check_quality' comes too late after 'snapshot'; put it before the snap"),
    ("nodes: {solve: {stage: slove}}\n", r"key 'nodes\.solve\.stage': .*did you mean 'solve'"),
    ("nodes: {think: {kind: policy, prompt: solver}}\nedges: {solve: think, think: filter}\n",
     r"a policy node works on the state 'rollout', but the graph's is 'iteration'|no route for the outcome"),
    ("nodes: {solve: {graph: qa_generator}}\n",
     r"iteration\.yaml:2:17: key 'nodes\.solve\.graph': .* role solver or aggregator; 'qa_generator' has the role"),
    ("nodes: {deduplicate: {graph: solver}}\n", r"runs a graph of the state set; 'solver' works on rollout"),
    ("nodes: {solve: {graph: solvr}}\n", r"no graph named 'solvr'.*did you mean 'solver'"),
    ("nodes: {solve: {graph: warm}}\n",
     r"warm\.yaml:2:28: key 'nodes\.think\.sampling\.temperature': 0\.7, but rollouts to train on must be sampled at"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_loop_that_could_not_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    warm = "extends: solver\nnodes: {think: {sampling: {temperature: 0.7}}}\n"
    with pytest.raises(UsageError, match=message):
        Library(graph_path=shadow(tmp_path, "extends: iteration\n" + text, warm=warm)).get("iteration")


async def test_a_stage_without_an_iteration() -> None:
    from graphs.decide import run_values

    with pytest.raises(ValueError, match="graph 'iteration' has stages and was started without an iteration"):
        await run_values(load_spec("iteration"), {})
    assert GraphState().values == {}
