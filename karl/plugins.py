"""For authors of plugins: everything that a class behind an entry point of the group `karl.plugins` needs."""

from graphs.plugins.base import Deny, Passive, Plugin, Rewrite
from graphs.schema import PluginSettings
from graphs.state import Rollout
from prompts.output import ToolCall

__all__ = ["Deny", "Passive", "Plugin", "PluginSettings", "Rewrite", "Rollout", "ToolCall"]
