"""The plugins of a graph, from their settings."""

from __future__ import annotations

from collections.abc import Mapping

from graphs import schema
from graphs.plugins.base import Plugin
from graphs.plugins.compression import CompressionPlugin
from graphs.plugins.step_budget import StepBudgetPlugin
from graphs.plugins.token_budget import TokenBudgetPlugin
from graphs.schema import GraphSpec
from prompts import Prompt


def build_plugins(spec: GraphSpec, prompts: Mapping[str, Prompt]) -> list[Plugin]:
    """In the graph's order."""
    return [_plugin(plugin, prompts) for plugin in spec.plugins]


def _plugin(
    plugin: schema.StepBudget | schema.Compression | schema.TokenBudget, prompts: Mapping[str, Prompt]
) -> Plugin:
    match plugin:
        case schema.StepBudget():
            last_call = prompts["last_call"].render() if plugin.last_call else None
            return StepBudgetPlugin(steps=plugin.steps, last_call=last_call)
        case schema.Compression():
            return CompressionPlugin(trigger_tokens=plugin.trigger_tokens)
        case schema.TokenBudget():
            return TokenBudgetPlugin(tokens=plugin.tokens)
