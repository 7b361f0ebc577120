"""Plugins in order: the first outcome wins, calls are rewritten one after the other, every end is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graphs.plugins.base import Deny, Passive, Rewrite
from graphs.plugins.chain import after_tool, after_turn, before_reply, before_turn, ending, gate
from graphs.schema import PluginSettings
from graphs.state import Rollout
from prompts.output import ToolCall
from tests.graphs.plugins.kit import rollout_of


class Settings(PluginSettings):
    turn_outcomes = frozenset({"exhausted", "escalate"})
    tool_outcomes = frozenset({"compress"})


class Says(Passive[Settings]):
    """Gives one outcome everywhere and writes down that it was asked."""

    Settings = Settings

    def __init__(self, name: str, outcome: str | None = None, verdict: Any = None) -> None:
        super().__init__(Settings(kind=name), {})
        self._outcome, self._verdict, self.asked = outcome, verdict, list[str]()

    def before_turn(self, rollout: Rollout) -> str | None:
        return self._outcome

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        self.asked.append(outcome)
        return self._outcome

    def before_tool(self, rollout: Rollout, call: ToolCall) -> Any:
        self.asked.append(call.name)
        return self._verdict

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        return f"{reply}+{self.kind}"

    def after_tool(self, rollout: Rollout) -> str | None:
        return self._outcome

    def at_end(self, rollout: Rollout) -> None:
        self.asked.append("end")
        if self._outcome == "broken":
            raise OSError(self.kind)


def test_the_first_outcome_wins_and_the_rest_is_not_asked() -> None:
    silent, first, second = Says("a"), Says("b", "exhausted"), Says("c", "escalate")
    assert after_turn([silent, first, second], rollout_of(), "search") == "exhausted"
    assert after_turn([silent, second, first], rollout_of(), "search") == "escalate"
    assert (silent.asked, first.asked, second.asked) == (["search"] * 2, ["search"], ["search"])
    assert before_turn([silent, second], rollout_of()) == "escalate" and before_turn([silent], rollout_of()) is None


def test_without_an_outcome_the_turn_and_the_tool_end_as_they_do() -> None:
    assert after_turn([Says("a")], rollout_of(), "malformed") == "malformed"
    assert after_tool([], rollout_of()) == "ok"
    assert after_tool([Says("a"), Says("b", "compress")], rollout_of()) == "compress"


def test_an_outcome_that_was_not_declared_names_the_plugin() -> None:
    with pytest.raises(ValueError, match="plugin 'b' gave the outcome 'escalate', which its settings do not declare"):
        after_tool([Says("b", "escalate")], rollout_of())
    with pytest.raises(ValueError, match="plugin 'b' gave the outcome 'nonsense'"):
        after_turn([Says("b", "nonsense")], rollout_of(), "search")


def test_replies_pass_through_all_plugins_in_order() -> None:
    assert before_reply([Says("a"), Says("b")], rollout_of(), "x") == "x+a+b"


def test_calls_are_rewritten_in_turn_and_the_first_denial_ends_it() -> None:
    rewrite, deny = Says("a", verdict=Rewrite(ToolCall("second", {}))), Says("b", verdict=Deny("not this"))
    last = Says("c", verdict=Deny("nor that"))
    assert gate([rewrite, deny, last], rollout_of(), ToolCall("first", {})) == Deny("not this")
    assert (rewrite.asked, deny.asked, last.asked) == (["first"], ["second"], [])
    assert gate([rewrite], rollout_of(), ToolCall("first", {})) == ToolCall("second", {})


def test_every_plugin_is_told_of_the_end_even_if_one_fails() -> None:
    broken, other = Says("a", "broken"), Says("b")
    with pytest.raises(OSError, match="a"), ending([broken, other], rollout_of()):
        pass
    assert other.asked == ["end"]


def test_a_plugin_that_fails_at_the_end_does_not_hide_a_cancellation() -> None:
    with pytest.raises(asyncio.CancelledError) as caught, ending([Says("a", "broken")], rollout_of()):
        raise asyncio.CancelledError
    assert caught.value.__notes__ == ["and at_end raised OSError('a')"]


def test_notes_are_made_once_for_each_rollout() -> None:
    plugin, first, second = Says("a"), rollout_of(), rollout_of()
    plugin.note(first, list).append(1)
    assert plugin.note(first, list) == [1] and plugin.note(second, list) == []
    assert first.notes == {"a": [1]}
