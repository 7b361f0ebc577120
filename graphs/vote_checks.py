"""What a vote node must get right: attempts before it, and a way to choose among their answers."""

from __future__ import annotations

from collections.abc import Iterator

from graphs.loops import reached
from graphs.schema.graph import GraphSpec
from graphs.schema.selection import VOTES, ParallelNode, VoteNode
from store.errors import UsageError


def votes(spec: GraphSpec) -> Iterator[UsageError]:
    """Problems of vote nodes and of the routes that lead to them."""
    edges = {name: set(spec.routes(name).values()) for name in spec.nodes}
    parallel = [name for name, node in spec.nodes.items() if isinstance(node, ParallelNode)]
    for name, node in spec.nodes.items():
        if not isinstance(node, VoteNode):
            continue
        if not any(name in reached(edges, before) for before in parallel):
            yield spec.error(("nodes", name), "a vote node needs attempts; lead a parallel node to it")
            continue
        for before, routes in ((before, spec.routes(before)) for before in spec.nodes):
            for outcome in sorted(outcome for outcome, target in routes.items() if target == name):
                yield from _route(spec, before, outcome, name, node)


def _route(spec: GraphSpec, before: str, outcome: str, name: str, vote: VoteNode) -> Iterator[UsageError]:
    """One route to a vote node."""
    kind = spec.nodes[before]
    path = ("edges", before) if isinstance(spec.edges[before], str) else ("edges", before, outcome)
    if isinstance(kind, ParallelNode) and outcome == "failed":
        yield spec.error(path, "too few attempts answered: there is nothing to vote on; lead 'failed' to 'end'")
    elif vote.strategy is None and not isinstance(kind, ParallelNode):
        listed = ", ".join(sorted(VOTES))
        message = f"it follows '{before}', a {kind.kind} node, so it must say how it chooses; add 'strategy': {listed}"
        yield spec.error(("nodes", name), message)
    elif vote.strategy is None and outcome not in VOTES:
        message = f"'{outcome}' leaves open how '{name}' chooses; lead it to a policy node, or give '{name}' 'strategy'"
        yield spec.error(path, message)
