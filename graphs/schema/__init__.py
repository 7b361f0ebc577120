"""The graph language: YAML -> a closed, frozen `GraphSpec`; what is wrong is named by file, line, column and key.

`load_spec(name, variant=...)` reads `<name>.yaml`, a user's folder before the built-in one, and applies
`overrides.<variant>`.
"""

from graphs.schema.closed import Closed
from graphs.schema.files import BUILT_IN, load_spec, merge, parse_spec, read_spec
from graphs.schema.graph import END, TURN_OUTCOMES, GraphSpec, Limits, Sampling
from graphs.schema.nodes import (
    CompressNode,
    JudgeNode,
    NodeSpec,
    ParallelNode,
    PolicyNode,
    PythonNode,
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
    "NodeSpec",
    "ParallelNode",
    "PluginSettings",
    "PluginSpec",
    "PolicyNode",
    "PythonNode",
    "RewriteRule",
    "Sampling",
    "SearchSettings",
    "StepBudget",
    "TimeBudget",
    "TokenBudget",
    "ToolGate",
    "ToolNode",
    "Tools",
    "ValueSelectNode",
    "VoteNode",
    "load_spec",
    "merge",
    "parse_spec",
    "read_spec",
]
