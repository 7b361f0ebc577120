"""A rollout in progress without a graph: what plugins look at."""

from __future__ import annotations

from agents.chat_template import Message
from agents.conversation import Conversation
from agents.engines.base import Generation
from graphs.plugins.base import Plugin
from graphs.plugins.build import build_plugins
from graphs.schema import parse_spec
from graphs.state import Rollout, RolloutInputs
from prompts import load_prompt
from tests.harness_kit import text_policy

POLICY = text_policy()
LAST_CALL = load_prompt("last_call").render()

_GRAPH = """
name: small
description: One loop.
role: solver
tools: {{search: {{k: 3}}}}
plugins:
  - {plugin}
  - {{kind: %s, %s}}
start: think
nodes:
  think: {{kind: policy, prompt: solver}}
  search: {{kind: tool, tool: search}}
  compress: {{kind: compress}}
edges:
  think: {{search: search, malformed: search, answer: end, exhausted: end}}
  search: {{ok: think, compress: compress}}
  compress: think
"""


def plugin_of(yaml: str) -> Plugin:
    """The plugin that `- {yaml}` in a graph's file gives."""
    other = ("token_budget", "tokens: 9999") if "step_budget" in yaml else ("step_budget", "steps: 99")
    spec = parse_spec((_GRAPH % other).format(plugin=yaml), source="f")
    names = [name for settings in spec.plugins for name in settings.prompt_names()]
    return build_plugins(spec, {name: load_prompt(name) for name in names})[0]


def rollout_of(question: str = "where?") -> Rollout:
    rollout = Rollout("r", RolloutInputs(question=question), 0, 1.0, Conversation(POLICY.template))
    rollout.conversation.start([Message("user", question)])
    return rollout


def turn(rollout: Rollout, text: str, *, reply: str = "") -> None:
    """One turn of the policy, and a tool's reply to it."""
    rollout.conversation.prompt()
    ids = [*POLICY.encode(text), POLICY.stop_ids[0]]
    rollout.conversation.append_sampled(Generation(ids, [0.0] * len(ids), "stop"))
    rollout.turns += 1
    rollout.sampled_tokens += len(ids)
    if reply:
        rollout.conversation.append_tool(reply)
