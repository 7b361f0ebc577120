"""The graph language: YAML -> a closed, frozen `GraphSpec`; what is wrong is named by file, line, column and key.

`load_spec(name, variant=..., tasks=...)` reads `<name>.yaml`, a user's folder before the built-in one, lays it over
what it `extends`, and applies its `overrides`. `graph_json_schema()` is the file format for editors.
"""

from graphs.schema.closed import Closed
from graphs.schema.export import graph_json_schema
from graphs.schema.files import BUILT_IN, find_file, graph_files, load_spec, merge, parse_spec, read_spec
from graphs.schema.graph import END, TURN_OUTCOMES, GraphSpec, Limits
from graphs.schema.node import Node, NodeLimits, NodeSampling, Sampling, SpeakingNode
from graphs.schema.nodes import (
    CompressNode,
    JudgeNode,
    NodeSpec,
    ParallelNode,
    PolicyNode,
    PythonNode,
    StageNode,
    ToolNode,
    ValueSelectNode,
    VoteNode,
)
from graphs.schema.plugins import (
    BUILT_IN_PLUGINS,
    Compression,
    PluginSettings,
    PluginSpec,
    RewriteRule,
    StepBudget,
    TimeBudget,
    TokenBudget,
    ToolGate,
)
from graphs.schema.selection import Vote
from graphs.schema.tools import SearchSettings, Tools

__all__ = [
    "BUILT_IN",
    "BUILT_IN_PLUGINS",
    "END",
    "TURN_OUTCOMES",
    "Closed",
    "CompressNode",
    "Compression",
    "GraphSpec",
    "JudgeNode",
    "Limits",
    "Node",
    "NodeLimits",
    "NodeSampling",
    "NodeSpec",
    "ParallelNode",
    "PluginSettings",
    "PluginSpec",
    "PolicyNode",
    "PythonNode",
    "RewriteRule",
    "Sampling",
    "SearchSettings",
    "SpeakingNode",
    "StageNode",
    "StepBudget",
    "TimeBudget",
    "TokenBudget",
    "ToolGate",
    "ToolNode",
    "Tools",
    "ValueSelectNode",
    "Vote",
    "VoteNode",
    "find_file",
    "graph_files",
    "graph_json_schema",
    "load_spec",
    "merge",
    "parse_spec",
    "read_spec",
]
