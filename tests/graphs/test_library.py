"""Read once, taken up at a reload, never half: what running loops hold on to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphs.library import Library
from graphs.loading import load_runner
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from prompts.loader import BUILT_IN
from store.errors import UsageError
from store.types import Purpose, RolloutStatus
from tests.harness_kit import NOTES, ListSearcher, text_policy

PROMPT = (BUILT_IN / "solver.md").read_text(encoding="utf-8")
EDITED = PROMPT.replace("Think first", "Think twice")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "solver.yaml").write_text("extends: solver\nlimits: {seconds: 60}\n", encoding="utf-8")
    (tmp_path / "solver.md").write_text(PROMPT, encoding="utf-8")
    return tmp_path


def library(folder: Path) -> Library:
    return Library(graph_path=[folder], prompt_path=[folder])


def runner(folder: Path, **given: Library) -> GraphRunner:
    policy = text_policy("[1] <answer>oslo</answer>", variant="")
    searcher = ListSearcher(NOTES)
    return load_runner("solver", policy=policy, searcher=searcher, graph_path=[folder], prompt_path=[folder], **given)


def test_an_edit_takes_effect_on_the_next_run_and_changes_the_hash(folder: Path) -> None:
    first = runner(folder).provenance
    (folder / "solver.md").write_text(EDITED, encoding="utf-8")
    second = runner(folder).provenance
    assert first.graph_sha256 == second.graph_sha256 and first.prompt_sha256 != second.prompt_sha256
    (folder / "solver.yaml").write_text("extends: solver\nlimits: {seconds: 61}\n", encoding="utf-8")
    third = runner(folder).provenance
    assert second.graph_sha256 != third.graph_sha256 and second.prompt_sha256 == third.prompt_sha256


def test_what_was_read_stays_until_a_reload(folder: Path) -> None:
    held = library(folder)
    before = held.get("solver")
    (folder / "solver.md").write_text(EDITED, encoding="utf-8")
    assert held.get("solver") is before
    assert runner(folder, library=held).provenance.prompt_sha256["solver"] == before.prompts["solver"].sha256
    assert held.reload() == ["solver"]
    assert held.get("solver").prompts["solver"].sha256 != before.prompts["solver"].sha256
    assert held.reload() == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("solver.yaml", "extends: solver\nstart: [\n"),
        ("solver.yaml", "extends: solver\nstart: thnk\n"),
        ("solver.md", "---\ndescription: d\n---\n{{ question }}\n"),
        ("solver.md", "no front matter"),
    ],
)
async def test_a_broken_edit_leaves_everything_as_it_was(folder: Path, file: str, text: str) -> None:
    held = library(folder)
    held.get("dedup")
    before = held.get("solver")
    (folder / "dedup.yaml").write_text("extends: dedup\nlimits: {seconds: 5}\n", encoding="utf-8")
    (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=file.replace(".", r"\.")):
        held.reload()
    assert held.get("solver") is before and held.get("dedup").spec.limits.seconds is None
    record = await runner(folder, library=held).run(
        RolloutInputs(question="where?"), key="r", purpose=Purpose.ASK, seed=1
    )
    assert record.status is RolloutStatus.FINISHED and record.provenance.graph_sha256 == before.spec.sha256


def test_a_graph_that_is_no_longer_run_is_no_longer_read(folder: Path) -> None:
    (folder / "aggregator.yaml").write_text("extends: aggregator\nnodes: {attempts: {graph: mine}}\n", encoding="utf-8")
    (folder / "mine.yaml").write_text("extends: solver\n", encoding="utf-8")
    held = library(folder)
    held.get("aggregator")
    (folder / "aggregator.yaml").write_text("extends: aggregator\n", encoding="utf-8")
    (folder / "mine.yaml").unlink()
    assert "aggregator" in held.reload()


def test_a_task_that_nobody_has_overrides_for_is_refused(folder: Path) -> None:
    given: Any = {"policy": text_policy("x", variant=""), "searcher": ListSearcher(NOTES), "graph_path": [folder]}
    with pytest.raises(UsageError, match=r"no task 'freshstak' in solver; there are: .*did you mean 'freshstack'"):
        load_runner("solver", tasks=["freshstak"], **given)
    assert load_runner("solver", tasks=["freshstack"], **given).spec.tools.search.k == 10
    (folder / "crowd.yaml").write_text("extends: aggregator\noverrides: {acme: {sampling: {top_p: 0.9}}}\n")
    # One that only a graph knows which another runs, and one that only the outer graph knows.
    tasks = ["freshstack", "acme"]
    inner = load_runner("crowd", tasks=tasks, **given).harness.runners
    assert [runner.spec.tools.search.k for runner in inner.values()] == [10]


def test_tasks_beside_a_library_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"give them to Library\(tasks=\.\.\.\)"):
        load_runner("solver", policy=text_policy("x"), library=library(folder), tasks=["freshstack"])
