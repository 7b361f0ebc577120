"""The graphs that a run will take, as its settings and the project's own files have them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from karl.run_config import RunConfig
from karl.settings import Settings

BUILT_IN = "built-in"


class StageGraph(NamedTuple):
    """A stage of an iteration. graph "": it runs none; source: `built-in`, or the file."""

    stage: str
    graph: str
    source: str
    sha256: str


def graphs_in_effect(config: RunConfig, *, settings: Settings) -> tuple[StageGraph, ...]:
    """The iteration's own graph first, then its stages in order. Raises: UsageError for graphs that are broken."""
    from graphs.iteration import stages
    from graphs.library import Library
    from karl.policies import profile_of

    variant = profile_of(config.base, settings=settings).prompt_variant
    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path, tasks=config.tasks)

    def found(stage: str, graph: str) -> StageGraph:
        sha256 = library.get(graph, variant=variant).spec.sha256
        return StageGraph(stage, graph, _source(graph, settings), sha256)

    iteration = library.get("iteration", variant=variant).spec
    return (
        found("iteration", "iteration"),
        *(
            found(node.stage, node.runs) if node.runs else StageGraph(node.stage, "", "", "")
            for node in stages(iteration)
        ),
    )


def task_names(settings: Settings) -> tuple[str, ...]:
    """The kinds of tasks that graphs of a run have overrides for, sorted."""
    from graphs.iteration import graph_of
    from graphs.library import Library
    from graphs.occasions import task_names as known
    from graphs.schema.stage import STAGE_GRAPHS

    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path)
    iteration = library.get("iteration").spec
    for stage in STAGE_GRAPHS:
        library.get(graph_of(iteration, stage))
    return known(library.specs, prompt_path=settings.prompt_path)


def _source(graph: str, settings: Settings) -> str:
    from graphs.schema.files import BUILT_IN as FOLDER
    from graphs.schema.files import find_file

    file = find_file(graph, settings.graph_path)
    return BUILT_IN if file.parent == FOLDER else _short(file)


def _short(file: Path) -> str:
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)
