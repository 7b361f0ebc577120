"""karl: search agents that train themselves on your documents.

    from karl import load_graph

    with load_graph("solver", corpus="notes") as graph:
        print(graph.invoke({"question": "Where does Mira work?"}).answer)

docs/python.md is the guide. The flow of training is in `karl.loop`, the command line in `karl.cli`.
Names are imported when they are first used: `import karl` costs milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.chat_model import PolicyChatModel
    from agents.policy import Policy
    from agents.tools import Searcher, SearchTool
    from graphs.events import (
        AnswerGiven,
        AttemptFinished,
        Compressed,
        Event,
        Failed,
        Hits,
        NodeEntered,
        SearchStarted,
        Token,
        ToolReplied,
        TurnStarted,
    )
    from karl.api.evaluate import evaluate
    from karl.api.graph import Graph
    from karl.api.langchain import load_chat_model, load_search_tool
    from karl.api.load import load_graph
    from karl.api.results import Answer, AnswerFailed, Citation, Finished, Proposal, Timings, Usage
    from karl.api.traces import load_trace
    from karl.settings import Settings, load_settings
    from store.errors import KarlError, UsageError
    from store.types import Hit, Provenance

_EVENTS = (
    "AnswerGiven",
    "AttemptFinished",
    "Compressed",
    "Event",
    "Failed",
    "Hits",
    "NodeEntered",
    "SearchStarted",
    "Token",
    "ToolReplied",
    "TurnStarted",
)
_HOME = {
    **dict.fromkeys(_EVENTS, "graphs.events"),
    "Graph": "karl.api.graph",
    **dict.fromkeys(
        ("Answer", "AnswerFailed", "Citation", "Finished", "Proposal", "Timings", "Usage"), "karl.api.results"
    ),
    **dict.fromkeys(("Settings", "load_settings"), "karl.settings"),
    **dict.fromkeys(("KarlError", "UsageError"), "store.errors"),
    **dict.fromkeys(("Hit", "Provenance"), "store.types"),
    "Policy": "agents.policy",
    "PolicyChatModel": "agents.chat_model",
    **dict.fromkeys(("SearchTool", "Searcher"), "agents.tools"),
    **dict.fromkeys(("load_chat_model", "load_search_tool"), "karl.api.langchain"),
    "evaluate": "karl.api.evaluate",
    "load_graph": "karl.api.load",
    "load_trace": "karl.api.traces",
}

__all__ = [
    "Answer",
    "AnswerFailed",
    "AnswerGiven",
    "AttemptFinished",
    "Citation",
    "Compressed",
    "Event",
    "Failed",
    "Finished",
    "Graph",
    "Hit",
    "Hits",
    "KarlError",
    "NodeEntered",
    "Policy",
    "PolicyChatModel",
    "Proposal",
    "Provenance",
    "SearchStarted",
    "SearchTool",
    "Searcher",
    "Settings",
    "Timings",
    "Token",
    "ToolReplied",
    "TurnStarted",
    "Usage",
    "UsageError",
    "evaluate",
    "load_chat_model",
    "load_graph",
    "load_search_tool",
    "load_settings",
    "load_trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'karl' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
