"""Which calls are carried out: lists with wildcards, rewriting, lengths, repeated queries."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from graphs.gate_checks import gate_warnings
from graphs.plugins.base import Deny, Plugin
from graphs.plugins.chain import gate
from graphs.schema import load_spec
from graphs.state import Rollout, RolloutInputs
from prompts.output import ToolCall
from store.errors import UsageError
from store.types import Purpose
from tests.graphs.plugins.kit import plugin_of, rollout_of
from tests.graphs.plugins.test_compression import compressed
from tests.graphs.small import small_runner
from tests.harness_kit import NOTES, ListSearcher, text_policy

PLUGINS = [{"kind": "step_budget", "steps": 9}, {"kind": "compression", "trigger_tokens": 900, "summary_tokens": 90}]


def search(query: str) -> ToolCall:
    return ToolCall("search", {"query": query})


def decided(plugin: Plugin, call: ToolCall, rollout: Rollout | None = None) -> ToolCall | str:
    """The call that is carried out, or why none is."""
    decision = gate([plugin], rollout or rollout_of(), call)
    return decision.reason if isinstance(decision, Deny) else decision


def test_allow_and_deny_take_wildcards_and_deny_wins() -> None:
    plugin = plugin_of("{kind: tool_gate, allow: [search, 'web_*'], deny: [web_post]}")
    assert decided(plugin, search("x")) == search("x")
    assert decided(plugin, ToolCall("web_get", {})) == ToolCall("web_get", {})
    assert decided(plugin, ToolCall("web_post", {})) == "the tool 'web_post' may not be used here"
    assert decided(plugin, ToolCall("shell", {})) == "the tool 'shell' may not be used here"


def test_nothing_configured_lets_everything_pass_as_it_is() -> None:
    call = search("x")
    rollout = rollout_of()
    plugin = plugin_of("{kind: tool_gate}")
    assert decided(plugin, call, rollout) is call and decided(plugin, call, rollout) is call
    assert plugin.before_reply(rollout, "hits") == "hits" and rollout.notes == {}


def test_rewriting_changes_name_and_argument_before_the_lists_are_asked() -> None:
    rules = r"[{tool: lookup, to: search}, {tool: search, argument: query, pattern: 'site:(\S+)', replacement: '\1'}]"
    plugin = plugin_of(f"{{kind: tool_gate, allow: [search], rewrite: {rules}}}")
    rewritten = decided(plugin, ToolCall("lookup", {"query": "site:oslo office", "k": 3}))
    assert rewritten == ToolCall("search", {"query": "oslo office", "k": 3})
    assert decided(plugin, ToolCall("search", {"query": 7})) == ToolCall("search", {"query": 7})


def test_lengths_of_the_query() -> None:
    plugin = plugin_of("{kind: tool_gate, min_query_chars: 3, max_query_chars: 5}")
    assert [decided(plugin, search(query)) for query in (" ab ", "abc", "abcde", "abcdef")] == [
        "the query has 2 characters; write at least 3",
        search("abc"),
        search("abcde"),
        "the query has 6 characters; write at most 5",
    ]
    assert decided(plugin, ToolCall("calculator", {"query": "1"})) == ToolCall("calculator", {"query": "1"})


def test_a_repeated_query_is_refused_in_normal_form() -> None:
    plugin, rollout = plugin_of("{kind: tool_gate, duplicate_queries: refuse}"), rollout_of()
    for query in ("Where does Mira work?", "where does Bram work"):
        assert decided(plugin, search(query), rollout) == search(query)
    again = decided(plugin, search("where does  mira work"), rollout)
    assert again == "'where does  mira work' was searched before and its results stand above; search for something else"
    assert decided(plugin, search("Where does Mira work?")) == search("Where does Mira work?")  # of another rollout


def test_a_repeated_query_is_carried_out_with_a_warning() -> None:
    plugin, rollout = plugin_of("{kind: tool_gate, duplicate_queries: warn}"), rollout_of()
    for _ in range(2):
        assert decided(plugin, search("mira"), rollout) == search("mira")
    said = plugin.before_reply(rollout, "[1] hit")
    assert said.startswith('You searched for "mira" before') and said.endswith("\n[1] hit")
    assert plugin.before_reply(rollout, "[1] hit") == "[1] hit"


def test_after_a_compression_the_results_are_gone_and_may_be_fetched_again() -> None:
    plugin, rollout = plugin_of("{kind: tool_gate, duplicate_queries: refuse}"), rollout_of()
    assert decided(plugin, search("mira"), rollout) == search("mira")
    rollout.conversation.prompt()
    rollout.conversation.append_given([1])
    compressed(rollout)
    assert decided(plugin, search("mira"), rollout) == search("mira")
    assert "was searched before" in str(decided(plugin, search("mira"), rollout))


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("rewrite: [{tool: a}]", "it rewrites nothing; add 'to: ...', or 'argument: ...' with 'pattern: ...'"),
        ("rewrite: [{tool: a, argument: b}]", "'argument' and 'pattern' belong together"),
        ("rewrite: [{tool: a, argument: b, pattern: '('}]", "valid regular expression"),
        (
            r"rewrite: [{tool: a, argument: b, pattern: 'x', replacement: '\1'}]",
            r"'replacement' does not fit 'pattern' \(0 groups\): invalid group reference 1",
        ),
        (r"rewrite: [{tool: a, argument: b, pattern: 'x', replacement: '\g<n>'}]", "unknown group name 'n'"),
        ("min_query_chars: 9, max_query_chars: 3", "max_query_chars 3 is below min_query_chars 9"),
        ("duplicate_queries: refuze", "did you mean 'refuse'"),
        ("alow: [search]", "unknown key; expected one of allow, .*did you mean 'allow'"),
    ],
)
def test_what_makes_no_sense_is_refused(gate: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"f:7:\d+: key 'plugins.0.*{message}"):
        plugin_of(f"{{kind: tool_gate, {gate}}}")


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        (
            "allow: [search, serch]",
            "key 'plugins.2.allow.1': the graph has no tool 'serch'; it has: search; did you mean",
        ),
        ("deny: [web_get]", "key 'plugins.2.deny.0': the graph has no tool 'web_get'; it has: search"),
        ("rewrite: [{tool: find, to: serch}]", "key 'plugins.2.rewrite.0.to': the graph has no tool 'serch'"),
        ("deny: ['s*']", "key 'plugins.2': this gate refuses every tool of the graph (search); mend 'allow' or 'deny'"),
        ("allow: []", "key 'plugins.2': this gate refuses every tool of the graph (search)"),
    ],
)
def test_names_that_no_tool_has_are_warned_of(gate: str, told: str) -> None:
    spec = load_spec("solver", changes={"plugins": [*PLUGINS, yaml.safe_load(f"{{kind: tool_gate, {gate}}}")]})
    (warning,) = gate_warnings(spec)
    assert told in str(warning)


@pytest.mark.parametrize("tools", [{"named": ["web_get"]}, {"mcp": {"web": {"command": "web"}}}])
def test_names_of_tools_given_later_are_not_warned_of(tools: dict[str, Any]) -> None:
    gate = {"kind": "tool_gate", "allow": ["search", "web_*", "web_get"], "deny": ["web_post*"]}
    assert list(gate_warnings(load_spec("solver", changes={"tools": tools, "plugins": [*PLUGINS, gate]}))) == []


async def test_in_a_graph_a_refused_query_is_told_and_recorded_and_not_searched() -> None:
    searcher = ListSearcher(NOTES)
    policy = text_policy(
        "<search>mira</search>", "<search>Mira?</search>", "<search>falcon</search>", "<answer>oslo</answer>"
    )
    plugins = [{"kind": "tool_gate", "duplicate_queries": "refuse"}, {"kind": "step_budget", "steps": 6}]
    runner = small_runner("solver", policy=policy, searcher=searcher, plugins=plugins)
    record = await runner.run(RolloutInputs("where?"), key="r", purpose=Purpose.TRAIN, seed=0)
    assert record.answer == "oslo" and searcher.queries == ["mira", "falcon"]
    assert [step.hits for step in record.steps] == [[11], [], [11, 12], []]
    errors = [call.error for step in record.steps for call in step.calls]
    assert errors[0] is None and errors[2] is None and "'Mira?' was searched before" in str(errors[1])
    assert "was searched before" in policy.decode(record.segments[0].token_ids)


async def test_in_a_graph_a_rewritten_call_is_what_was_carried_out() -> None:
    searcher = ListSearcher(NOTES)
    policy = text_policy("<search>site:wiki mira</search>", "<answer>oslo</answer>")
    gate_settings = {
        "kind": "tool_gate",
        "rewrite": [{"tool": "search", "argument": "query", "pattern": r"site:\S+\s*"}],
    }
    plugins = [gate_settings, {"kind": "step_budget", "steps": 6}]
    runner = small_runner("solver", policy=policy, searcher=searcher, plugins=plugins)
    record = await runner.run(RolloutInputs("where?"), key="r", purpose=Purpose.TRAIN, seed=0)
    assert searcher.queries == ["mira"] and record.steps[0].calls[0].arguments == {"query": "mira"}
    assert record.steps[0].text == "<search>site:wiki mira</search>"
