"""What a graph must get right beyond its keys: names exist, outcomes are routed, nodes reached, loops bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from graphs.schema import END, CompressNode, GraphSpec, PolicyNode, ToolNode, ValueSelectNode
from prompts.closed_yaml import YamlDocument, closest


def check_spec(spec: GraphSpec, document: YamlDocument) -> None:
    """Raises: UsageError for the first problem found."""
    for check in (_start, _edge_names, _outcomes, _reached, _plugins, _needs, _loops):
        check(spec, document)


def _start(spec: GraphSpec, document: YamlDocument) -> None:
    if spec.start not in spec.nodes:
        raise document.error(("start",), _unknown(spec.start, spec.nodes))


def _edge_names(spec: GraphSpec, document: YamlDocument) -> None:
    for name, edge in spec.edges.items():
        if name not in spec.nodes:
            raise document.error(("edges", name), _unknown(name, spec.nodes))
        for outcome, target in {"": edge}.items() if isinstance(edge, str) else edge.items():
            if target != END and target not in spec.nodes:
                path = ("edges", name, outcome) if outcome else ("edges", name)
                raise document.error(path, _unknown(target, [*spec.nodes, END]))


def _outcomes(spec: GraphSpec, document: YamlDocument) -> None:
    for name, node in spec.nodes.items():
        if name not in spec.edges:
            raise document.error(
                ("nodes", name), f"no edge leaves this node; add one to 'edges', to a node or to '{END}'"
            )
        possible, conceivable, routed = spec.outcomes(node), spec.conceivable(node), spec.routes(name)
        for outcome in sorted(possible - routed.keys()):
            raise document.error(
                ("edges", name), f"no route for the outcome '{outcome}' of a {node.kind} node; add '{outcome}: ...'"
            )
        for outcome in sorted(routed.keys() - conceivable):
            listed = ", ".join(sorted(conceivable))
            hint = closest(outcome, conceivable)
            raise document.error(
                ("edges", name, outcome),
                f"a {node.kind} node never ends with '{outcome}'; its outcomes: {listed}{hint}",
            )


def _reached(spec: GraphSpec, document: YamlDocument) -> None:
    reached = set(_from(spec, spec.start)) | {spec.start}
    for name in spec.nodes:
        if name not in reached:
            raise document.error(("nodes", name), f"unreachable: no route from '{spec.start}' leads to this node")


def _plugins(spec: GraphSpec, document: YamlDocument) -> None:
    for kind, count in Counter(plugin.kind for plugin in spec.plugins).items():
        if count > 1:
            raise document.error(("plugins",), f"'{kind}' stands there {count} times; keep one")


def _needs(spec: GraphSpec, document: YamlDocument) -> None:
    talks = [name for name, node in spec.nodes.items() if isinstance(node, PolicyNode | ValueSelectNode | CompressNode)]
    if talks and spec.role is None:
        raise document.error(
            ("nodes", talks[0]), "this node needs the key 'role' of the graph: generator, solver or aggregator"
        )
    for name, node in spec.nodes.items():
        if isinstance(node, ToolNode) and spec.tools.search is None:
            raise document.error(
                ("nodes", name, "tool"), "the tool 'search' has no settings; add 'tools: {search: {k: 20}}'"
            )


def _loops(spec: GraphSpec, document: YamlDocument) -> None:
    bounded = any(plugin.bounds_turns for plugin in spec.plugins)
    for name in spec.nodes:
        if not bounded and name in _from(spec, name):
            raise document.error(
                ("edges", name),
                "a loop without a limit; add 'plugins: [{kind: step_budget, steps: ...}]' or a token_budget",
            )


def _from(spec: GraphSpec, start: str) -> Iterator[str]:
    """Every node that some path from `start` enters; `start` itself only if a path returns to it."""
    seen: set[str] = set()
    open_nodes = [start]
    while open_nodes:
        for target in spec.routes(open_nodes.pop()).values():
            if target != END and target not in seen:
                seen.add(target)
                open_nodes.append(target)
                yield target


def _unknown(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return f"no node named '{name}'; there are: {', '.join(names)}{closest(name, names)}"
