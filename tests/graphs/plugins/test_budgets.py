"""Budgets of steps, tokens and time: when they end a rollout, when they announce its last turn."""

from __future__ import annotations

import time

import pytest

from store.errors import UsageError
from tests.graphs.plugins.kit import LAST_CALL, plugin_of, rollout_of, turn


def test_step_budget_ends_after_its_steps_but_lets_an_answer_pass() -> None:
    plugin, rollout = plugin_of("{kind: step_budget, steps: 2}"), rollout_of()
    turn(rollout, "one")
    assert plugin.after_turn(rollout, "search") is None
    turn_two = rollout_of()
    turn(turn_two, "one", reply="x")
    turn(turn_two, "two")
    assert plugin.after_turn(turn_two, "search") == "exhausted"
    assert plugin.after_turn(turn_two, "malformed") == "exhausted"
    assert plugin.after_turn(turn_two, "answer") is None


def test_step_budget_announces_the_last_turn_only() -> None:
    plugin, rollout = plugin_of("{kind: step_budget, steps: 3}"), rollout_of()
    assert plugin.before_reply(rollout, "hits") == "hits"
    turn(rollout, "one", reply="x")
    assert plugin.before_reply(rollout, "hits") == "hits"
    turn(rollout, "two", reply="x")
    assert plugin.before_reply(rollout, "hits") == f"hits\n{LAST_CALL}"
    silent = plugin_of("{kind: step_budget, steps: 3, last_call: false}")
    assert silent.before_reply(rollout, "hits") == "hits"


def test_two_budgets_announce_the_last_turn_once() -> None:
    steps, tokens = (
        plugin_of("{kind: step_budget, steps: 1}"),
        plugin_of("{kind: token_budget, tokens: 9, last_call_tokens: 9}"),
    )
    rollout = rollout_of()
    said = tokens.before_reply(rollout, steps.before_reply(rollout, "hits"))
    assert said.count(LAST_CALL) == 1


def test_token_budget_counts_what_was_sampled() -> None:
    plugin, rollout = plugin_of("{kind: token_budget, tokens: 20}"), rollout_of()
    rollout.sampled_tokens = 19
    assert plugin.after_turn(rollout, "search") is None and plugin.before_reply(rollout, "hits") == "hits"
    rollout.sampled_tokens = 20
    assert plugin.after_turn(rollout, "search") == "exhausted" and plugin.after_turn(rollout, "answer") is None


def test_a_turn_announced_as_the_last_is_the_last() -> None:
    plugin, rollout = plugin_of("{kind: token_budget, tokens: 1000, last_call_tokens: 990}"), rollout_of()
    assert plugin.before_reply(rollout, "hits") == "hits"
    turn(rollout, "some words", reply="x")
    assert rollout.sampled_tokens == 11 and plugin.after_turn(rollout, "search") is None
    assert plugin.before_reply(rollout, "hits") == f"hits\n{LAST_CALL}"
    turn(rollout, "more", reply="x")
    assert rollout.sampled_tokens < 1000 and plugin.after_turn(rollout, "search") == "exhausted"


def test_time_budget_ends_between_turns_and_before_one_that_comes_too_late() -> None:
    plugin, rollout = plugin_of("{kind: time_budget, seconds: 60, last_call_seconds: 20}"), rollout_of()
    assert plugin.before_turn(rollout) is None and plugin.before_reply(rollout, "hits") == "hits"
    rollout.began = time.monotonic() - 45
    assert plugin.after_turn(rollout, "search") is None and plugin.before_turn(rollout) is None
    assert plugin.before_reply(rollout, "hits") == f"hits\n{LAST_CALL}"
    rollout.began = time.monotonic() - 60
    assert plugin.after_turn(rollout, "search") == "exhausted" and plugin.before_turn(rollout) == "exhausted"
    assert plugin.after_turn(rollout, "answer") is None


def test_what_a_budget_remembers_belongs_to_one_rollout() -> None:
    plugin = plugin_of("{kind: token_budget, tokens: 100, last_call_tokens: 50}")
    called, other = rollout_of(), rollout_of()
    called.sampled_tokens = 60
    assert plugin.before_reply(called, "hits").endswith(LAST_CALL)
    turn(called, "on")
    turn(other, "on")
    assert plugin.after_turn(called, "search") == "exhausted" and plugin.after_turn(other, "search") is None


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("token_budget, tokens: 10, last_call_tokens: 60", "last_call_tokens 60 is above tokens 10"),
        ("time_budget, seconds: 10, last_call_seconds: 60", "last_call_seconds 60 is above seconds 10"),
    ],
)
def test_a_last_call_before_the_budget_begins_is_refused(budget: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"f:7:\d+: key 'plugins\.0': {message}: .* make it smaller"):
        plugin_of(f"{{kind: {budget}}}")
