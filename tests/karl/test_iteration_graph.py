"""The loop follows the graph `iteration`: stages taken out, graphs swapped, edits between iterations, resumption."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.policy import Policy
from graphs.schema import load_spec
from karl.collect import Stopped
from karl.context import Context
from karl.loop import iterate, refresh_graphs
from karl.reporting import SilentReporter
from karl.summary import run_summary
from karl.tables import print_summary
from store import queries
from store.errors import KarlError, UsageError
from store.models import Checkpoint, Iteration
from store.types import Algorithm, Fate, Stage
from tests.karl.loop_kit import make_context, reader

SHORT = "extends: iteration\nnodes: {train: null, evaluate: null}\nedges: {snapshot: end}\n"
UNCHECKED = (
    "extends: iteration\nnodes: {check_quality: null, solve: {graph: my_solver}, train: null, evaluate: null}\n"
    "edges: {filter: snapshot, snapshot: end}\n"
)
MY_SOLVER = "extends: solver\noverrides: {tiny: {tools: {search: {k: 2}}}}\n"


class Heard(SilentReporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass(frozen=True)
class ScriptedContext(Context):
    """A loop whose policy is scripted; `opened`: how often it was opened."""

    scripted: Policy = field(kw_only=True)
    opened: list[Path] = field(kw_only=True, default_factory=list)

    @asynccontextmanager
    async def policy(self, checkpoint: Path) -> AsyncIterator[Policy]:
        self.opened.append(checkpoint)
        yield self.scripted


def half_right() -> Policy:
    """Every second answer about a product is wrong: each question is solved by some rollouts and not by others."""
    asked: Counter[str] = Counter()

    def answer(product: str, person: str) -> str:
        asked[product] += 1
        return person if asked[product] % 2 else "nobody"

    return reader(answer)


@pytest.fixture
def context(tmp_path: Path) -> ScriptedContext:
    folder = tmp_path / "graphs"
    folder.mkdir()
    (folder / "iteration.yaml").write_text(SHORT, encoding="utf-8")
    plain = make_context(tmp_path, generator_runs=12, max_tasks=6, sft_control=False)
    settings = plain.settings.model_copy(update={"graph_path": [folder]})
    return speaking(plain, half_right(), settings=settings, reporter=Heard())


def speaking(context: Context, policy: Policy, **changes: Any) -> ScriptedContext:
    """The same context with another policy."""
    given = {item.name: getattr(context, item.name) for item in fields(Context)}
    return ScriptedContext(**{**given, **changes}, scripted=policy)


def shadow(context: Context, **graphs: str) -> None:
    for name, text in graphs.items():
        (context.settings.graph_path[0] / f"{name}.yaml").write_text(text, encoding="utf-8")


def said(context: Context) -> str:
    assert isinstance(context.reporter, Heard)
    return "\n".join(context.reporter.said)


def base(context: Context) -> Checkpoint:
    with context.store.session() as session:
        row = Checkpoint(
            run_id=context.run_id, name=context.key("base"), algorithm=Algorithm.BASE, path=str(context.config.base)
        )
        return queries.save_checkpoint(session, row)


async def iterate_once(context: Context) -> Iteration:
    start = base(context)
    assert (await iterate(context, 1, start=start, control=start))[0].id == start.id
    with context.store.session() as session:
        return queries.iteration_row(session, context.run_id, number=1)


def fates(context: Context) -> Counter[Fate]:
    with context.store.session() as session:
        return Counter(task.fate for task in queries.tasks_by_fate(session, context.run_id, fates=list(Fate)))


async def test_an_iteration_follows_its_graph_and_keeps_its_hash(context: ScriptedContext) -> None:
    row = await iterate_once(context)
    assert row.done and row.graph_sha256 == context.library.get("iteration", variant="tiny").spec.sha256
    assert {"synthesize", "deduplicate", "solve", "filter"} <= row.seconds.keys() and "train" not in row.seconds
    assert fates(context)[Fate.KEPT] > 0 and len(context.opened) == 1
    with context.store.session() as session:
        dataset = queries.dataset_by_name(session, context.key("dataset-1"))
        judged = session.connection().exec_driver_sql("SELECT graph, graph_sha256 FROM judgement WHERE kind='quality'")
        assert {tuple(found) for found in judged} == {("quality_filter", context.graph("check_quality").sha256)}
    assert dataset.iteration == 1 and dataset.group_count == fates(context)[Fate.KEPT]


async def test_without_a_quality_check_and_with_a_solver_of_ones_own(context: ScriptedContext) -> None:
    shadow(context, iteration=UNCHECKED, my_solver=MY_SOLVER)
    await iterate_once(context)
    assert fates(context)[Fate.KEPT] == 6 and fates(context)[Fate.INVALID] == 0
    with context.store.session() as session:
        rows = session.connection().exec_driver_sql("SELECT DISTINCT role, graph, graph_sha256 FROM rollout")
        graphs = {graph: sha for _, graph, sha in rows}
        judged = session.connection().exec_driver_sql("SELECT count(*) FROM judgement WHERE kind = 'quality'")
        assert judged.scalar_one() == 0
    assert graphs == {
        "qa_generator": context.graph("synthesize").sha256,
        "my_solver": context.library.get("my_solver", variant="tiny").spec.sha256,
    }


HOOK = """
from pathlib import Path
from typing import Any
from graphs.state import GraphState
async def note(state: GraphState) -> dict[str, Any]:
    round_ = state.values["iteration"]
    with Path(__file__).with_name("said").open("a") as said:
        said.write(f"{round_.number} {round_.context.run.name};")
    return {}
"""


async def test_a_function_of_ones_own_sees_the_round(context: ScriptedContext, tmp_path: Path) -> None:
    (tmp_path / "round_hooks.py").write_text(HOOK, encoding="utf-8")
    node = "note: {kind: python, function: 'round_hooks:note'}"
    shadow(context, iteration=SHORT.replace("{train: null", f"{{{node}, train: null").replace(
        "{snapshot: end}", "{snapshot: note, note: end}"
    ))  # fmt: skip
    await iterate_once(context)
    assert (tmp_path / "said").read_text() == "1 notes-1;"


async def test_a_stopped_round_goes_on_where_it_was(context: ScriptedContext) -> None:
    def stop_at_the_third(product: str, person: str) -> str:
        answers.append(product)
        if len(answers) == 3:
            context.stop.set()
        return "nobody" if answers.count(product) > 1 else person

    answers: list[str] = []
    halting = speaking(context, reader(stop_at_the_third))
    with pytest.raises(Stopped):
        await iterate_once(halting)
    with context.store.session() as session:
        row = queries.iteration_row(session, context.run_id, number=1)
        assert row.stage is Stage.SOLVE and not row.done and row.graph_sha256
    context.stop.clear()
    shadow(context, iteration=SHORT + "limits: {seconds: 600}\n")
    context.library.reload()
    assert (await iterate_once(context)).done and fates(context)[Fate.KEPT] > 0
    assert "iteration 1 goes on with another iteration graph" in said(context)
    with context.store.session() as session:
        made = session.connection().exec_driver_sql("SELECT purpose, count(*) FROM rollout GROUP BY purpose")
        assert dict(tuple(row) for row in made) == {"SYNTHESIZE": 12, "TRAIN": 12}


async def test_an_iteration_that_keeps_nothing_says_so(context: ScriptedContext) -> None:
    with pytest.raises(KarlError, match="iteration 1 kept no question"):
        await iterate_once(speaking(context, reader()))


def test_a_broken_edit_never_takes_the_loop_down(context: ScriptedContext) -> None:
    context.read_graphs()
    before = context.graph("solve")
    shadow(context, solver="extends: solver\nstart: thnk\n")
    refresh_graphs(context, 2)
    refresh_graphs(context, 3)
    assert context.graph("solve") is before
    assert "iteration 2 goes on with the graphs and prompts read before: " in said(context)
    assert "solver.yaml:2:1: key 'start': no node named 'thnk'" in said(context)
    summary = run_summary(context.store, context.run)
    assert summary["broken_edits"] == 2 and summary["training"] == {}


def test_a_sound_edit_is_taken_up_between_iterations(context: ScriptedContext) -> None:
    context.read_graphs()
    before = context.graph("solve")
    refresh_graphs(context, 1)
    assert said(context) == ""
    shadow(context, solver="extends: solver\noverrides: {tiny: {tools: {search: {k: 2}}}}\n")
    assert context.graph("solve") == before
    refresh_graphs(context, 2)
    assert context.graph("solve").sha256 != before.sha256
    assert said(context).startswith("iteration 2 takes up edits of solver: figures from here on")


def test_a_broken_graph_stops_a_run_before_it_starts(context: ScriptedContext) -> None:
    shadow(context, dedup="extends: dedup\nnodes: {near: {judge: duplicat}}\n")
    with pytest.raises(UsageError, match=r"dedup\.yaml:2:16: key 'nodes\.near\.judge': .*did you mean 'duplicate'"):
        context.read_graphs()


def test_the_summary_shows_broken_edits(context: ScriptedContext, capsys: pytest.CaptureFixture[str]) -> None:
    context.read_graphs()
    shadow(context, solver="extends: [\n")
    refresh_graphs(context, 1)
    print_summary(run_summary(context.store, context.run), Console())
    assert "a broken edit of a graph or prompt was left aside once" in capsys.readouterr().out


def test_a_runs_tasks_choose_the_overrides_of_its_graphs(tmp_path: Path) -> None:
    plain = make_context(tmp_path / "plain").graph("solve")
    given = make_context(tmp_path / "given", tasks=["trec_biogen"])
    spec = given.library.get("solver", variant="").spec
    assert spec.sha256 == load_spec("solver", tasks=["trec_biogen"]).sha256 != load_spec("solver").sha256
    assert given.run.settings["tasks"] == ["trec_biogen"]
    assert given.graph("solve").sha256 == plain.sha256  # the policy's own replace them
