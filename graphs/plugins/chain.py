"""The plugins of a graph as one: each asked in order, their outcomes held to what they declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphs.plugins.base import Deny, Plugin, Rewrite
from graphs.schema import TURN_OUTCOMES

if TYPE_CHECKING:
    from graphs.state import Rollout
    from prompts.output import ToolCall


def before_turn(plugins: Sequence[Plugin], rollout: Rollout) -> str | None:
    """An outcome that stands for the turn: nothing is sampled. Raises: ValueError for one that no route knows."""
    for plugin in plugins:
        if outcome := plugin.before_turn(rollout):
            return _declared(plugin, outcome, TURN_OUTCOMES | plugin.settings.turn_outcomes)
    return None


def after_turn(plugins: Sequence[Plugin], rollout: Rollout, outcome: str) -> str:
    """The turn's outcome, or the first that a plugin gives instead. Raises: ValueError as above."""
    for plugin in plugins:
        if other := plugin.after_turn(rollout, outcome):
            return _declared(plugin, other, TURN_OUTCOMES | plugin.settings.turn_outcomes)
    return outcome


def gate(plugins: Sequence[Plugin], rollout: Rollout, call: ToolCall) -> ToolCall | Deny:
    """The call to carry out, rewritten by one plugin after the other, or the first denial.

    Whoever carries it out checks a rewritten call anew, against the tool's arguments.
    """
    for plugin in plugins:
        match plugin.before_tool(rollout, call):
            case Deny() as denied:
                return denied
            case Rewrite(rewritten):
                call = rewritten
            case None:
                continue
    return call


def before_reply(plugins: Sequence[Plugin], rollout: Rollout, reply: str) -> str:
    for plugin in plugins:
        reply = plugin.before_reply(rollout, reply)
    return reply


def after_tool(plugins: Sequence[Plugin], rollout: Rollout) -> str:
    """`ok`, or the first outcome that a plugin gives instead. Raises: ValueError as above."""
    for plugin in plugins:
        if outcome := plugin.after_tool(rollout):
            return _declared(plugin, outcome, plugin.settings.tool_outcomes)
    return "ok"


@contextmanager
def ending(plugins: Sequence[Plugin], rollout: Rollout) -> Iterator[None]:
    """Calls every plugin's `at_end` when the block is left. Raises: the block's error before any of a plugin's."""
    try:
        yield
    except BaseException as exc:
        for error in _end(plugins, rollout):
            exc.add_note(f"and at_end raised {error!r}")
        raise
    errors = _end(plugins, rollout)
    if errors:
        raise errors[0]


def _end(plugins: Sequence[Plugin], rollout: Rollout) -> list[Exception]:
    """One plugin that fails keeps no other from its end."""
    errors: list[Exception] = []
    for plugin in plugins:
        try:
            plugin.at_end(rollout)
        except Exception as exc:
            errors.append(exc)
    return errors


def _declared(plugin: Plugin, outcome: str, known: frozenset[str]) -> str:
    if outcome not in known:
        raise ValueError(
            f"plugin '{plugin.kind}' gave the outcome '{outcome}', which its settings do not declare: "
            "add it to turn_outcomes or tool_outcomes"
        )
    return outcome
