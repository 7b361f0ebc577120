"""Everything that can be known to be wrong with a graph file before it runs, for people and editors to mend at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from graphs.functions import node_function
from graphs.gate_checks import gate_warnings
from graphs.library import Library
from graphs.prompting import load_prompts
from graphs.schema import BUILT_IN, GraphSpec, ParallelNode, PythonNode, StepBudget, read_spec
from graphs.toolbox import named_tools
from karl.catalog import known_as, prompt_entries
from karl.settings import Settings
from prompts.lint import Finding, Level
from prompts.yaml_text import read_text, read_yaml
from store.errors import UsageError

# Super-steps that a turn may take: the turn itself, its tool, a compression.
_STEPS_OF_A_TURN = 3


def validate_graph(file: Path, *, settings: Settings) -> list[Finding]:
    """The file with each of its overrides: keys, routes, loops, prompts, functions, graphs that it runs; then warnings.

    Where keys or routes are wrong, those alone are told: what depends on them can't be looked at.
    """
    known = known_as(file, settings.graph_path)
    try:
        specs = {name: _read(known, name, settings) for name in ["", *_occasions(known, settings)]}
    except UsageError as exc:
        return [Finding.of(problem, file=file) for problem in (exc, *exc.others)]
    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path)
    errors = [
        Finding.of(problem, file=file)
        for name, spec in specs.items()
        for problem in list(_errors(spec, name, settings)) or _raised(partial(library.get, known, variant=name))
    ]
    warnings = [Finding.of(problem, file=file, level="warning") for problem in _warnings(specs, known)]
    return list(dict.fromkeys([*errors, *warnings]))


def _read(file: Path, occasion: str, settings: Settings) -> GraphSpec:
    return read_spec(file, variant=occasion, path=settings.graph_path)


def _occasions(file: Path, settings: Settings) -> list[str]:
    """Tasks and policies for which the graph or its prompts may differ."""
    variants = sorted({entry.variant for entry in prompt_entries(settings) if entry.variant})
    return list(dict.fromkeys([*_overrides(file), *variants]))


def _overrides(file: Path) -> list[str]:
    overrides = _data(file).get("overrides")
    return [str(name) for name in overrides] if isinstance(overrides, dict) else []


def _data(file: Path) -> dict[str, Any]:
    """Raises: UsageError."""
    return read_yaml(read_text(file), source=str(file)).data


def _errors(spec: GraphSpec, variant: str, settings: Settings) -> Iterator[UsageError]:
    """All that is wrong in one graph; the graphs that it runs are the library's matter, which stops at the first."""
    yield from _raised(lambda: load_prompts(spec, variant=variant, path=settings.prompt_path))
    for name, node in spec.nodes.items():
        if isinstance(node, PythonNode):
            yield from _raised(lambda name=name: node_function(spec, name))
    yield from _raised(lambda: named_tools(spec))


def _raised(look: Callable[[], object]) -> Iterator[UsageError]:
    try:
        look()
    except UsageError as exc:
        yield from (exc, *exc.others)


def _warnings(specs: dict[str, GraphSpec], file: Path) -> Iterator[UsageError]:
    spec = specs[""]
    yield from _dead_routes(spec)
    yield from _short_limits(spec)
    for each in specs.values():
        yield from gate_warnings(each)
    shadowed = BUILT_IN / file.name
    if shadowed.is_file() and file.resolve() != shadowed.resolve() and "extends" not in _data(file):
        yield from _forgotten_overrides(specs, shadowed)


def _dead_routes(spec: GraphSpec) -> Iterator[UsageError]:
    for name, node in spec.nodes.items():
        # Those of a parallel node wait for another strategy: a word in the file, or in a call.
        edge = {} if isinstance(node, ParallelNode) else spec.edges[name]
        for outcome in sorted(set(edge if isinstance(edge, dict) else ()) - spec.outcomes(node)):
            message = (
                f"this route is never taken: without a plugin for it, no {node.kind} node ends with '{outcome}'; "
                f"add the plugin, or {_taken_out(spec, name, outcome)}"
            )
            yield spec.error(("edges", name, outcome), message, cause=("plugins",))


def _taken_out(spec: GraphSpec, name: str, outcome: str) -> str:
    document = spec.document
    inherited = document is not None and document.place(("edges", name, outcome)).source != document.source
    return f"write 'edges: {{{name}: {{{outcome}: null}}}}'" if inherited else "take the route out"


def _short_limits(spec: GraphSpec) -> Iterator[UsageError]:
    budget = spec.plugin(StepBudget)
    if isinstance(budget, StepBudget) and budget.steps * _STEPS_OF_A_TURN > spec.limits.super_steps:
        message = (
            f"{spec.limits.super_steps} super-steps may end a rollout before its budget of {budget.steps} turns does"
        )
        yield spec.error(("limits", "super_steps"), message, cause=("plugins",))


def _forgotten_overrides(specs: dict[str, GraphSpec], shadowed: Path) -> Iterator[UsageError]:
    for name in _overrides(shadowed):
        if name not in specs or specs[name].sha256 == specs[""].sha256:
            message = (
                f"the built-in graph has overrides for '{name}' and this file has none, so '{name}' gets the plain "
                f"graph; put 'extends: {shadowed.stem}' at the top, or write 'overrides: {{{name}: ...}}'"
            )
            yield specs[""].error(("overrides",), message)


__all__ = ["Finding", "Level", "validate_graph"]
