"""Graphs with figures of their own: the shipped ones are tuned with the embedded policy."""

from __future__ import annotations

from typing import Any

import yaml

from agents.policy import Policy
from graphs.runner import GraphRunner
from graphs.schema import BUILT_IN, GraphSpec, merge, parse_spec
from prompts.yaml_text import read_yaml
from tests.harness_kit import NOTES, ListSearcher

STEPS = {"qa_generator": 3, "aggregator": 4}
ATTEMPTS_OF = {"aggregator": "solver", "value_guided_search": "value_guided_solver"}


def small_spec(name: str, **changes: Any) -> GraphSpec:
    """The full graph with k 3, few steps, and no compression to speak of; `changes` laid over it."""
    data = read_yaml((BUILT_IN / f"{name}.yaml").read_text(), source=name).data
    data.pop("overrides", None)
    figures = {
        "tools": {"search": {"k": 3, "max_chars": 240, "text": "flowing"}},
        "plugins": [
            {"kind": "step_budget", "steps": STEPS.get(name, 6)},
            {"kind": "compression", "trigger_tokens": 10_000, "summary_tokens": 64},
        ],
        "sampling": {"max_tokens": 96},
        "candidates": 1,
    }
    return parse_spec(yaml.safe_dump(merge(merge(data, figures), changes)), source=name)


def small_runner(
    name: str, *, policy: Policy, searcher: Any = None, value: Any = None, judge: Any = None, **changes: Any
) -> GraphRunner:
    """`changes` are laid over the graph `name`, not over the one that its attempts run."""
    shared: Any = {"policy": policy, "searcher": searcher or ListSearcher(NOTES), "value": value, "judge": judge}
    inner = ATTEMPTS_OF.get(name)
    runners = {inner: small_runner(inner, **shared)} if inner else None
    return GraphRunner(small_spec(name, **changes), runners=runners, **shared)
