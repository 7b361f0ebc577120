"""The prompts that a graph names, loaded, and held against what its nodes can fill in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from graphs import schema
from graphs.harness import INSTRUCTION_VARIABLES, OPENING_VARIABLES
from graphs.schema import GraphSpec, NodeSpec
from prompts import Prompt, load_prompt
from prompts.closed_yaml import closest
from store.errors import UsageError

_HITS = frozenset({"hits"})
_REASON = frozenset({"reason"})
_REFUSAL = frozenset({"tool", "reason"})
_COMPRESS_VARIABLES = frozenset({"question", "tokens"})
# What the built-in plugins fill in; what another package's plugin fills in only that package knows.
_BY_PLUGINS = {"last_call": frozenset[str](), "repeated_query": frozenset({"query"})}


class Wanted(NamedTuple):
    """A prompt by name, the variables that can be supplied (None: unknown), and the key that names it."""

    name: str
    supplied: frozenset[str] | None
    key: tuple[str | int, ...]


def load_prompts(spec: GraphSpec, *, variant: str, path: Sequence[Path]) -> dict[str, Prompt]:
    """Every prompt that the graph names.

    Raises: UsageError naming the graph's key, for a prompt that is missing or broken, or for a variable that nothing
    supplies.
    """
    prompts: dict[str, Prompt] = {}
    for wanted in [*_of_nodes(spec), *_of_plugins(spec)]:
        try:
            prompts[wanted.name] = prompt = load_prompt(wanted.name, variant=variant, path=path)
        except UsageError as exc:
            raise spec.error(wanted.key, str(exc)) from exc
        _check_variables(spec, prompt, wanted)
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


def _of_nodes(spec: GraphSpec) -> Iterator[Wanted]:
    for name, node in spec.nodes.items():
        for key, prompt, supplied in _of_node(node):
            yield Wanted(prompt, supplied, ("nodes", name, key))


def _of_node(node: NodeSpec) -> Iterator[tuple[str, str, frozenset[str]]]:
    match node:
        case schema.PolicyNode() | schema.ValueSelectNode():
            yield "prompt", node.prompt, OPENING_VARIABLES
            yield "prompt", "search_result", _HITS  # seeds are shown as search results
            if isinstance(node, schema.PolicyNode) and node.instruction:
                yield "instruction", node.instruction, INSTRUCTION_VARIABLES
        case schema.ToolNode():
            yield "result", node.result, _HITS
            yield "correction", node.correction, _REASON
            yield "refusal", node.refusal, _REFUSAL
        case schema.CompressNode():
            yield "prompt", node.prompt, _COMPRESS_VARIABLES
        case _:
            return


def _of_plugins(spec: GraphSpec) -> Iterator[Wanted]:
    for number, plugin in enumerate(spec.plugins):
        for name in plugin.prompt_names():
            yield Wanted(name, _BY_PLUGINS.get(name), ("plugins", number))
