"""What a caller hands to `load_graph` in Python, looked at before a model is loaded: not every rollout should fail."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from agents.policy import Policy
from store.errors import UsageError

SEARCH = "async def search(query, k) -> list[Hit]"
SCORE = "async def score(prefix_ids, candidates_K) -> list[float]"
SAME = "async def equivalent(first, second, *, question) -> Equivalence"


def check_handed_in(*, corpus: Any, policy: Any, value: Any, judge: Any, tools: Any) -> None:
    """None: left to us. Raises: UsageError naming the argument, what it takes and the mend."""
    if corpus is not None and not isinstance(corpus, str):
        _check_async("corpus", corpus, "search", expected=f"a name, or an object with `{SEARCH}`")
    if policy is not None and not isinstance(policy, str | Path | Policy):
        raise UsageError(f"policy: expected a checkpoint folder or a Policy, got {policy!r}")
    if value is not None:
        expected = f"an object with a `name` and `{SCORE}`"
        _check_async("value", value, "score", expected=expected)
        if not isinstance(getattr(value, "name", None), str):
            raise UsageError(f"value: expected {expected}, got {value!r} without a `name`; every trace says it")
    if judge is not None:
        _check_async(
            "judge", judge, "equivalent", expected=f"an object with `{SAME}`, such as agents.judges.RuleJudge()"
        )
    for tool in tools:
        if not isinstance(tool, BaseTool):
            raise UsageError(f"tools: expected LangChain tools, got {tool!r}; put `@tool` above a function")


def _check_async(argument: str, given: Any, method: str, *, expected: str) -> None:
    found = getattr(given, method, None)
    if not callable(found):
        raise UsageError(f"{argument}: expected {expected}, got {given!r}")
    if isinstance(given, type):
        raise UsageError(f"{argument}: expected {expected}, got the class {given.__name__}; give an instance of it")
    if not inspect.iscoroutinefunction(inspect.unwrap(found)):
        raise UsageError(
            f"{argument}: expected {expected}, but {type(given).__name__}.{method} is not async; write "
            f"`async def {method}`, and call what blocks in it as `await asyncio.to_thread(...)`"
        )
