"""Whether the turns of a graph can end as its role demands: a generator proposes candidates, the others answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from graphs.schema import END, GraphSpec, PolicyNode, PythonNode, ValueSelectNode, VoteNode
from prompts import Prompt
from prompts.output import Action
from store.errors import UsageError
from store.types import Role

_FINAL: frozenset[Action] = frozenset({"answer", "candidates"})


class _Turn(NamedTuple):
    """A node that speaks: the prompt that reads its turns, the key that names it, whether its answer ends the graph."""

    prompt: Prompt
    key: tuple[str, str, str]
    ends: bool


def check_actions(spec: GraphSpec, prompts: Mapping[str, Prompt]) -> None:
    """Raises: UsageError at the key of a prompt that ends a rollout with another role's result, or never ends it."""
    turns = list(_turns(spec, prompts))
    wanted: Action = "candidates" if spec.role is Role.GENERATOR else "answer"
    for turn in turns:
        actions = set(turn.prompt.output.actions)
        if turn.ends and actions & _FINAL and wanted not in actions:
            raise _error(spec, turn, wanted, f"ends the rollout with {' or '.join(sorted(actions & _FINAL))}")
    elsewhere = any(isinstance(node, VoteNode | PythonNode) for node in spec.nodes.values())
    if turns and not elsewhere and not any(wanted in turn.prompt.output.actions for turn in turns):
        listed = ", ".join(turns[0].prompt.output.actions) or "none"
        raise _error(spec, turns[0], wanted, f"lets no turn end the rollout (its actions: {listed})")


def _turns(spec: GraphSpec, prompts: Mapping[str, Prompt]) -> Iterator[_Turn]:
    for name, node in spec.nodes.items():
        if isinstance(node, PolicyNode | ValueSelectNode):
            instruction = node.instruction if isinstance(node, PolicyNode) else None
            key = ("nodes", name, "instruction" if instruction else "prompt")
            yield _Turn(prompts[instruction or node.prompt], key, spec.routes(name).get("answer") == END)


def _error(spec: GraphSpec, turn: _Turn, wanted: Action, does: str) -> UsageError:
    role = spec.role.value if spec.role else "graph"
    return spec.error(
        turn.key,
        f"{turn.prompt.path}: this prompt {does}, and a {role} has to bring '{wanted}'; name a prompt whose "
        f"'output.actions' hold '{wanted}'",
    )
