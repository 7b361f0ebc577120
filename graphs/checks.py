"""What a graph must get right beyond its keys, found before anything runs; each complaint names the key and the mend.

`problems` looks at one graph alone; what it needs from elsewhere (prompts, functions, other graphs) is looked at by
`graphs.library`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from graphs.loops import reached, without_limit
from graphs.schema.graph import END, GraphSpec
from graphs.schema.node import Node, SpeakingNode
from graphs.schema.nodes import CompressNode, JudgeNode, PolicyNode, PythonNode, StageNode, ToolNode
from graphs.schema.plugins import Compression
from graphs.schema.selection import ParallelNode, ValueSelectNode, VoteNode
from graphs.schema.stage import STAGE_BEFORE, STAGE_GRAPHS, STAGE_NEEDS
from graphs.turn_checks import turns
from graphs.vote_checks import votes
from prompts.closed_yaml import closest
from store.errors import UsageError, first_of

_JUDGED = {"duplicate": "set", "quality": "case"}


def check_spec(spec: GraphSpec) -> None:
    """Raises: UsageError for the first problem found; it knows the others of its sort."""
    if found := list(problems(spec)):
        raise first_of(found)


def problems(spec: GraphSpec) -> Iterator[UsageError]:
    """Every problem of the first sort that has any: later sorts make sense only once earlier ones are mended."""
    for check in (
        _names,
        _outcomes,
        _reached,
        _ends,
        _states,
        _judges,
        _plugins,
        _needs,
        _stages,
        turns,
        votes,
        _loops,
    ):
        found = list(check(spec))
        yield from found
        if found:
            return


def _names(spec: GraphSpec) -> Iterator[UsageError]:
    if spec.start not in spec.nodes:
        yield spec.error(("start",), _unknown(spec, spec.start, spec.nodes))
    for name, edge in spec.edges.items():
        if name not in spec.nodes:
            yield spec.error(("edges", name), _unknown(spec, name, spec.nodes), cause=("nodes", name))
        for outcome, target in {"": edge}.items() if isinstance(edge, str) else edge.items():
            if target != END and target not in spec.nodes:
                path = ("edges", name, outcome) if outcome else ("edges", name)
                yield spec.error(path, _unknown(spec, target, [*spec.nodes, END]), cause=("nodes", target))


def _outcomes(spec: GraphSpec) -> Iterator[UsageError]:
    for name, node in spec.nodes.items():
        if name not in spec.edges:
            message = f"no edge leaves this node; add one to 'edges', to a node or to '{END}'"
            yield spec.error(("nodes", name), message)
            continue
        possible, conceivable, routed = spec.outcomes(node), spec.conceivable(node), spec.routes(name)
        for outcome in sorted(possible - routed.keys()):
            message = f"no route for the outcome '{outcome}' of a {node.kind} node; add '{outcome}: ...'"
            added = any(outcome in plugin.turn_outcomes | plugin.tool_outcomes for plugin in spec.plugins)
            yield spec.error(("edges", name), message, cause=("plugins",) if added else ("nodes", name))
        for outcome in sorted(routed.keys() - conceivable):
            listed = ", ".join(sorted(conceivable))
            message = f"a {node.kind} node never ends with '{outcome}'; its outcomes: {listed}"
            mend = f"; list it in 'nodes.{name}.outcomes'" if isinstance(node, PythonNode) else ""
            place = ("edges", name, outcome)
            yield spec.error(place, message + closest(outcome, conceivable) + mend, cause=("nodes", name))


def _reached(spec: GraphSpec) -> Iterator[UsageError]:
    entered = {spec.start, *_from(spec, spec.start)}
    for name in spec.nodes:
        if name not in entered:
            message = f"unreachable: no route from '{spec.start}' leads to this node"
            yield spec.error(("nodes", name), message, cause=("edges",))


def _ends(spec: GraphSpec) -> Iterator[UsageError]:
    for name in spec.nodes:
        if END not in _from(spec, name):
            message = f"no route from here ever leads to '{END}'; lead one of its outcomes there"
            yield spec.error(("nodes", name), message, cause=("edges", name))


def _states(spec: GraphSpec) -> Iterator[UsageError]:
    for name, node in spec.nodes.items():
        needed = _state_of(node)
        if needed is not None and needed != spec.state:
            yield spec.error(
                ("nodes", name),
                f"a {node.kind} node works on the state '{needed}', but the graph's is '{spec.state}'; "
                f"set 'state: {needed}', or take the node out",
                cause=("state",),
            )


def _state_of(node: Node) -> str | None:
    match node:
        case JudgeNode():
            return _JUDGED[node.judge]
        case StageNode():
            return "iteration"
        case SpeakingNode() | ToolNode() | ParallelNode() | VoteNode():
            return "rollout"
        case _:
            return None


def _judges(spec: GraphSpec) -> Iterator[UsageError]:
    for name, node in spec.nodes.items():
        if isinstance(node, JudgeNode) and node.judge != "duplicate":
            for key in ("top", "threshold"):
                if getattr(node, key) != JudgeNode.model_fields[key].default:
                    message = f"the judge '{node.judge}' compares nothing; take '{key}' out (it is for 'duplicate')"
                    yield spec.error(("nodes", name, key), message, cause=("nodes", name, "judge"))


def _plugins(spec: GraphSpec) -> Iterator[UsageError]:
    for kind, count in Counter(plugin.kind for plugin in spec.plugins).items():
        if count > 1:
            yield spec.error(("plugins",), f"'{kind}' stands there {count} times; keep one")
    squeezing = isinstance(spec.plugin(Compression), Compression)
    for number, plugin in enumerate(spec.plugins):
        if isinstance(plugin, Compression) and plugin.trigger_tokens and plugin.summary_tokens >= plugin.trigger_tokens:
            yield spec.error(
                ("plugins", number, "summary_tokens"),
                f"a summary of {plugin.summary_tokens} tokens would trigger the next compression at "
                f"{plugin.trigger_tokens}; make it well smaller than 'trigger_tokens'",
            )
    for name, node in spec.nodes.items():
        target = spec.routes(name).get("compress", "") if isinstance(node, ToolNode) and squeezing else ""
        if target and not isinstance(spec.nodes.get(target), CompressNode):
            path = ("edges", name) if isinstance(spec.edges[name], str) else ("edges", name, "compress")
            yield spec.error(
                path,
                f"the compression plugin's outcome 'compress' leads to '{target}', where nothing shortens the history; "
                "lead it to a node of kind compress",
            )


def _needs(spec: GraphSpec) -> Iterator[UsageError]:
    talks = [name for name, node in spec.nodes.items() if isinstance(node, SpeakingNode)]
    if talks and spec.role is None:
        message = "this node needs the key 'role' of the graph: generator, solver or aggregator"
        yield spec.error(("nodes", talks[0]), message, cause=("role",))
    for name, node in spec.nodes.items():
        if isinstance(node, ToolNode) and node.tool == "search" and spec.tools.search is None:
            message = "the tool 'search' has no settings; add 'tools: {search: {k: 20}}'"
            yield spec.error(("nodes", name, "tool"), message, cause=("tools", "search"))
        if isinstance(node, ParallelNode) and node.graph == spec.name:
            message = f"graph '{spec.name}' runs itself in a parallel node; name another graph there"
            yield spec.error(("nodes", name, "graph"), message)


def _stages(spec: GraphSpec) -> Iterator[UsageError]:
    stages = {name: node for name, node in spec.nodes.items() if isinstance(node, StageNode)}
    for stage, count in Counter(node.stage for node in stages.values()).items():
        if count > 1:
            last = [name for name, node in stages.items() if node.stage == stage][-1]
            yield spec.error(("nodes", last), f"the stage '{stage}' stands there {count} times; keep one")
    for name, node in stages.items():
        needed = STAGE_NEEDS.get(node.stage)
        before = {other.stage for key, other in stages.items() if name in _from(spec, key)}
        if needed is not None and needed not in before:
            yield spec.error(
                ("nodes", name), f"the stage '{node.stage}' goes on from '{needed}'; put a {needed} stage before it"
            )
        late = STAGE_BEFORE.get(node.stage)
        if late in before:
            message = f"the stage '{node.stage}' comes too late after '{late}'; put it before the {late} stage"
            yield spec.error(("nodes", name), message)
        if node.graph is not None and node.stage not in STAGE_GRAPHS:
            listed = ", ".join(STAGE_GRAPHS)
            message = f"the stage '{node.stage}' runs no agent graph; take 'graph' out (those that do: {listed})"
            yield spec.error(("nodes", name, "graph"), message)


def _loops(spec: GraphSpec) -> Iterator[UsageError]:
    if spec.limits.seconds is not None:
        return
    budgets = [plugin.kind for plugin in spec.plugins if plugin.bounds_turns]
    turns = {name for name, node in spec.nodes.items() if isinstance(node, PolicyNode | ValueSelectNode)}
    endless = list(without_limit(_edges(spec), bounded=turns if budgets else set()))
    if not endless:
        return
    mend = (
        f"'{budgets[0]}' bounds only loops through a policy node; set 'limits: {{seconds: ...}}'"
        if budgets
        else "add 'plugins: [{kind: step_budget, steps: ...}]', another budget, or 'limits: {seconds: ...}'"
    )
    message = f"a loop without a limit, through {', '.join(endless)}; {mend}"
    yield spec.error(("edges", endless[0]), message, cause=("plugins",))


def _from(spec: GraphSpec, start: str) -> set[str]:
    """Every node, and the end, that some path from `start` enters; `start` itself only if a path returns to it."""
    return reached(_edges(spec), start)


def _edges(spec: GraphSpec) -> dict[str, set[str]]:
    return {name: set(spec.routes(name).values()) for name in spec.nodes}


def _unknown(spec: GraphSpec, name: str, known: Iterable[str] | Mapping[str, object]) -> str:
    names = list(known)
    removed = spec.document.places.get(("nodes", name)) if spec.document else None
    gone = f" ({removed} removes it)" if removed else ""
    return f"no node named '{name}'{gone}; there are: {', '.join(names)}{closest(name, names)}"
