"""What the agent graph of a stage of the loop must be."""

from __future__ import annotations

from graphs.schema import GraphSpec, SpeakingNode, StageNode
from store.errors import UsageError
from store.types import Role

_ROLES = {
    "synthesize": (Role.GENERATOR,),
    "solve": (Role.SOLVER, Role.AGGREGATOR),
    "evaluate": (Role.SOLVER, Role.AGGREGATOR),
}
_STATES = {"deduplicate": "set", "check_quality": "case"}


def check_stage_graph(spec: GraphSpec, name: str, graph: GraphSpec, *, variant: str) -> None:
    """Raises: UsageError unless `graph` can do the work of the stage `name` of the graph `spec`."""
    node = spec.nodes[name]
    assert isinstance(node, StageNode)
    roles, state = _ROLES.get(node.stage, ()), _STATES.get(node.stage)
    if roles and graph.role not in roles:
        has = f"the role {graph.role}" if graph.role else "no role"
        message = f"the stage '{node.stage}' runs a graph of the role {' or '.join(roles)}; '{graph.name}' has {has}"
        raise spec.error(("nodes", name, "graph"), message)
    if state and graph.state != state:
        message = f"the stage '{node.stage}' runs a graph of the state {state}; '{graph.name}' works on {graph.state}"
        raise spec.error(("nodes", name, "graph"), message)
    if node.stage == "solve":
        check_sampling(graph, variant=variant)


def check_sampling(spec: GraphSpec, *, variant: str) -> None:
    """Raises: UsageError unless the graph that makes training rollouts samples the raw model.

    The log-probs of a rollout are those of temperature 1 over the whole vocabulary: the loss takes them for the
    policy that sampled (OAPL's reference), which another temperature or a cut tail would make untrue.
    """
    for name, node in spec.nodes.items():
        if not isinstance(node, SpeakingNode):
            continue
        for key in ("temperature", "top_p"):
            own = getattr(node.sampling, key) is not None
            value = getattr(spec.sampling_of(node), key)
            if value != 1.0:
                raise _not_raw(spec, ("nodes", name, "sampling", key) if own else ("sampling", key), value, variant)


def _not_raw(spec: GraphSpec, path: tuple[str, ...], value: float, variant: str) -> UsageError:
    key, section = path[-1], ".".join(path[:-1])
    place = f"{section} or overrides.{variant}.{section}" if variant else section
    return spec.error(
        path,
        f"{value:g}, but rollouts to train on must be sampled at temperature 1 and top_p 1, as "
        f"their log-probs are; set {key}: 1.0 under {place} in your {spec.name}.yaml (evaluations and `karl ask` "
        "choose their own temperature)",
    )
