"""When the history is long enough to be summarised, in tokens and in characters, and how often at most."""

from __future__ import annotations

import pytest

from agents.chat_template import Message
from agents.engines.base import Generation
from graphs.state import Rollout
from store.errors import UsageError
from tests.graphs.plugins.kit import POLICY, plugin_of, rollout_of, turn


def compressed(rollout: Rollout) -> None:
    rollout.conversation.begin_compression("summarise")
    rollout.conversation.prompt()
    rollout.conversation.append_sampled(Generation([POLICY.stop_ids[0]], [0.0], "stop"))
    rollout.conversation.compress([Message("user", "go on")])


def test_trigger_in_tokens_is_exceeded_not_reached() -> None:
    rollout = rollout_of()
    turn(rollout, "a", reply="b" * 50)
    length = len(rollout.conversation)
    at = plugin_of(f"{{kind: compression, trigger_tokens: {length}, summary_tokens: 9}}")
    below = plugin_of(f"{{kind: compression, trigger_tokens: {length - 1}, summary_tokens: 9}}")
    assert at.after_tool(rollout) is None and below.after_tool(rollout) == "compress"


def test_trigger_in_characters_counts_the_whole_segment_turn_by_turn() -> None:
    rollout = rollout_of()
    text = 0
    plugins = {}
    for number in range(5):
        turn(rollout, f"search {number}", reply="the thé " * 10)
        text = len(POLICY.decode(rollout.conversation.token_ids))
        plugins[number] = plugin_of(f"{{kind: compression, trigger_chars: {text}, summary_tokens: 9}}")
    steady = plugin_of(f"{{kind: compression, trigger_chars: {text - 1}, summary_tokens: 9}}")
    again = rollout_of()
    seen = []
    for number in range(5):
        turn(again, f"search {number}", reply="the thé " * 10)
        seen.append(steady.after_tool(again))
    assert seen == [None, None, None, None, "compress"]
    assert plugins[4].after_tool(rollout) is None and plugins[3].after_tool(rollout_of()) is None


def test_characters_are_counted_anew_after_a_compression() -> None:
    plugin, rollout = plugin_of("{kind: compression, trigger_chars: 300, summary_tokens: 9}"), rollout_of()
    turn(rollout, "a", reply="b" * 300)
    assert plugin.after_tool(rollout) == "compress"
    compressed(rollout)
    turn(rollout, "a", reply="b" * 100)
    assert plugin.after_tool(rollout) is None
    turn(rollout, "a", reply="b" * 200)
    assert plugin.after_tool(rollout) == "compress"


def test_either_trigger_is_enough() -> None:
    plugin = plugin_of("{kind: compression, trigger_tokens: 5000, trigger_chars: 100, summary_tokens: 9}")
    rollout = rollout_of()
    turn(rollout, "a", reply="b" * 200)
    assert plugin.after_tool(rollout) == "compress"


def test_at_most_so_many_compressions() -> None:
    plugin = plugin_of("{kind: compression, trigger_tokens: 10, summary_tokens: 9, max_compressions: 2}")
    rollout = rollout_of()
    outcomes = []
    for _ in range(3):
        turn(rollout, "a", reply="b" * 100)
        outcomes.append(plugin.after_tool(rollout))
        compressed(rollout)
    assert outcomes == ["compress", "compress", None]


def test_a_compression_that_nothing_triggers_is_refused() -> None:
    with pytest.raises(UsageError, match=r"f:7:5: key 'plugins.0': nothing triggers it; add 'trigger_tokens: ...'"):
        plugin_of("{kind: compression, summary_tokens: 9}")
