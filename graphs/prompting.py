"""The prompts that a graph names, loaded, and held against what its nodes fill in and what its role has to bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from graphs import samples, schema
from graphs.prompt_actions import check_actions
from graphs.schema import GraphSpec, NodeSpec
from prompts import Prompt, load_prompt
from prompts.closed_yaml import closest
from store.errors import UsageError


class Wanted(NamedTuple):
    """A prompt by name, a sample of what it is given (None: unknown), and the key that names it."""

    name: str
    supplied: samples.Values | None
    key: tuple[str | int, ...]


def load_prompts(spec: GraphSpec, *, variant: str, path: Sequence[Path]) -> dict[str, Prompt]:
    """Every prompt that the graph names.

    Raises: UsageError naming the graph's key, for a prompt that is missing or broken, that can't be rendered with what
    its node supplies, or that lets no turn end as the graph's role demands.
    """
    prompts: dict[str, Prompt] = {}
    for wanted in [*_of_nodes(spec), *_of_plugins(spec)]:
        try:
            prompts[wanted.name] = prompt = load_prompt(wanted.name, variant=variant, path=path)
        except UsageError as exc:
            raise spec.error(wanted.key, str(exc)) from exc
        _check_variables(spec, prompt, wanted)
        _check_rendering(spec, prompt, wanted)
    check_actions(spec, prompts)
    return prompts


def _check_variables(spec: GraphSpec, prompt: Prompt, wanted: Wanted) -> None:
    supplied = prompt.variables.keys() if wanted.supplied is None else wanted.supplied
    unmet = sorted(prompt.variables.keys() - supplied)
    if unmet:
        known = ", ".join(sorted(supplied)) or "none"
        who = f"node '{wanted.key[1]}'" if wanted.key[0] == "nodes" else f"plugin {wanted.key[1]}"
        raise spec.error(
            wanted.key,
            f"{prompt.path}: nothing supplies '{unmet[0]}' in {who} of '{spec.name}'; there are: {known}"
            f"{closest(unmet[0], supplied)}",
        )


def _check_rendering(spec: GraphSpec, prompt: Prompt, wanted: Wanted) -> None:
    """With sample values: a type or a field that no value has would end every rollout."""
    if wanted.supplied is None:
        return
    try:
        prompt.render(**{name: wanted.supplied[name] for name in prompt.variables})
    except UsageError as exc:
        raise spec.error(wanted.key, str(exc)) from exc


def _of_nodes(spec: GraphSpec) -> Iterator[Wanted]:
    for name, node in spec.nodes.items():
        for key, prompt, supplied in _of_node(node):
            yield Wanted(prompt, supplied, ("nodes", name, key))


def _of_node(node: NodeSpec) -> Iterator[tuple[str, str, samples.Values]]:
    match node:
        case schema.PolicyNode() | schema.ValueSelectNode():
            yield "prompt", node.prompt, samples.OPENING
            yield "prompt", "search_result", samples.HITS  # seeds are shown as search results
            if isinstance(node, schema.PolicyNode) and node.instruction:
                yield "instruction", node.instruction, samples.INSTRUCTION
        case schema.ToolNode():
            yield "result", node.result, samples.HITS
            yield "correction", node.correction, samples.CORRECTION
            yield "refusal", node.refusal, samples.REFUSAL
        case schema.CompressNode():
            yield "prompt", node.prompt, samples.COMPRESSION
        case _:
            return


def _of_plugins(spec: GraphSpec) -> Iterator[Wanted]:
    for number, plugin in enumerate(spec.plugins):
        for name in plugin.prompt_names():
            yield Wanted(name, samples.BY_PLUGINS.get(name), ("plugins", number))
