"""A value for every variable that a node fills in: what a prompt may name, and what it is rendered with as a check.

They are of the types, and the objects have the fields, of the values that a rollout supplies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.state import Example, Shown
from prompts.output import FinalAnswer

Values = Mapping[str, Any]

# Of a prompt that opens a conversation, whatever the role: inputs may hold seeds for a solver, too.
OPENING: Values = {
    "question": "Who wrote it?",
    "summary": "[1] names the author.",
    "seeds": "[1] A passage.",
    "examples": [Example("Who wrote it?", "Ada")],
    "answers": [FinalAnswer("Ada", explanation="[1] says so.", confidence=0.8, citations=(1,))],
    "attempts": 1,
    "count": 1,
    "steps": 1,
    "tools": [{"name": "search", "description": "Searches.", "parameters": "{}"}],
    "tool_format": "Write a call as JSON.",
}
# And of a prompt put to the policy later on: also the answer that it gave last ("" before the first).
INSTRUCTION: Values = {**OPENING, "answer": "Ada"}
HITS: Values = {"hits": [Shown(n=1, title="A title", text="A passage.", key="a.md#0", page=1)]}
CORRECTION: Values = {"reason": "it held no action"}
REFUSAL: Values = {"tool": "search", "reason": "the query is empty"}
COMPRESSION: Values = {"question": "Who wrote it?", "tokens": 100}
# What the built-in plugins fill in; what another package's plugin fills in only that package knows.
BY_PLUGINS: Mapping[str, Values] = {"last_call": {}, "repeated_query": {"query": "author"}}
