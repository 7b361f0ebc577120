"""The plugins of a graph, from their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.plugins.base import Plugin
from graphs.plugins.compression import CompressionPlugin
from graphs.plugins.external import load_plugin
from graphs.plugins.step_budget import StepBudgetPlugin
from graphs.plugins.time_budget import TimeBudgetPlugin
from graphs.plugins.token_budget import TokenBudgetPlugin
from graphs.plugins.tool_gate import ToolGatePlugin
from graphs.schema import GraphSpec, PluginSettings
from prompts import Prompt

_BUILT_IN: dict[str, Any] = {
    "step_budget": StepBudgetPlugin,
    "token_budget": TokenBudgetPlugin,
    "time_budget": TimeBudgetPlugin,
    "compression": CompressionPlugin,
    "tool_gate": ToolGatePlugin,
}


def build_plugins(spec: GraphSpec, prompts: Mapping[str, Prompt]) -> list[Plugin]:
    """In the graph's order. Raises: UsageError for a prompt that wants variables nobody supplies."""
    return [_plugin(settings, prompts) for settings in spec.plugins]


def _plugin(settings: PluginSettings, prompts: Mapping[str, Prompt]) -> Plugin:
    plugin = _BUILT_IN.get(settings.kind) or load_plugin(settings.kind)
    return plugin.build(settings, {name: prompts[name] for name in settings.prompt_names()})
