"""Whose turn it is: a policy node needs something to answer, a tool node something to carry out."""

from __future__ import annotations

from collections.abc import Iterator

from graphs.schema.graph import GraphSpec
from graphs.schema.nodes import CompressNode, PolicyNode, ToolNode
from graphs.schema.selection import ValueSelectNode
from prompts.closed_yaml import Path
from store.errors import UsageError

_TURN = PolicyNode | ValueSelectNode


def turns(spec: GraphSpec) -> Iterator[UsageError]:
    """Routes on which a conversation would break."""
    if isinstance(spec.nodes[spec.start], ToolNode | CompressNode):
        kind = spec.nodes[spec.start].kind
        yield spec.error(("start",), f"a {kind} node can't come first: no turn was taken yet; start with a policy node")
    for name, node in spec.nodes.items():
        for outcome, target in spec.routes(name).items() if isinstance(node, _TURN) else ():
            problem = _problem(spec, outcome, target)
            if problem:
                yield spec.error(_place(spec, name, outcome), problem)


def _problem(spec: GraphSpec, outcome: str, target: str) -> str | None:
    after = spec.nodes.get(target)
    if isinstance(after, ValueSelectNode) or (isinstance(after, PolicyNode) and after.instruction is None):
        mend = "; give it an 'instruction', a prompt that is put to the policy there" * isinstance(after, PolicyNode)
        return f"'{target}' would speak right after a turn, with nothing to answer{mend}"
    if isinstance(after, ToolNode) and outcome == "answer":
        return f"'{target}' carries out calls, and an answer holds none; lead 'answer' to 'end' or to a policy node"
    return None


def _place(spec: GraphSpec, name: str, outcome: str) -> Path:
    return ("edges", name) if isinstance(spec.edges[name], str) else ("edges", name, outcome)
