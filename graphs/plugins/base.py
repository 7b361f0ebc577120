"""Lifecycle plugins: at fixed points of the loop they add to what the policy is shown, gate its calls, end the rollout.

A plugin is built once per graph and shared by all rollouts under way: what it keeps about one of them lives in
`rollout.notes`. Hooks are plain functions and must not block: the other rollouts wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, Self, TypeVar

from graphs.schema import PluginSettings
from prompts import Prompt

if TYPE_CHECKING:
    from graphs.state import Rollout
    from prompts.output import ToolCall

SettingsT = TypeVar("SettingsT", bound=PluginSettings)
NoteT = TypeVar("NoteT")


@dataclass(frozen=True, slots=True)
class Deny:
    """The call is not carried out; `reason` is told to the policy and kept on the step."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """`call` is carried out instead; plugins further down the list decide about that one."""

    call: ToolCall


class Plugin(Protocol):
    """Asked in the graph's order of plugins. Of a turn or a tool node the first outcome given wins; of a call the
    first denial. Outcomes have to be declared by the settings (`turn_outcomes`, `tool_outcomes`).
    """

    @property
    def kind(self) -> str: ...

    @property
    def settings(self) -> PluginSettings: ...

    def before_turn(self, rollout: Rollout) -> str | None:
        """May append to `rollout.conversation`, which is open; an outcome ends the turn and nothing is sampled."""
        ...

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        """Another outcome for the turn that was just taken, or None."""
        ...

    def before_tool(self, rollout: Rollout, call: ToolCall) -> Deny | Rewrite | None:
        """What becomes of a call; None: it is carried out as it is."""
        ...

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        """The text of the turn's tool reply (or of a fresh segment's prompt), changed or not."""
        ...

    def after_tool(self, rollout: Rollout) -> str | None:
        """Another outcome for the tool's node, or None."""
        ...

    def at_end(self, rollout: Rollout) -> None:
        """The rollout is over: answered, unfinished, failed or cancelled."""
        ...


class Passive(Generic[SettingsT]):
    """Does nothing at any point; plugins override what they need. `Settings`: the model of their keys in the YAML."""

    Settings: ClassVar[type[PluginSettings]]

    def __init__(self, settings: SettingsT, prompts: Mapping[str, Prompt]) -> None:
        self.settings = settings
        self.prompts = prompts

    @classmethod
    def build(cls, settings: SettingsT, prompts: Mapping[str, Prompt]) -> Self:
        """`prompts`: those that the settings' `prompt_names` asked for."""
        return cls(settings, prompts)

    @property
    def kind(self) -> str:
        return self.settings.kind

    def note(self, rollout: Rollout, make: Callable[[], NoteT]) -> NoteT:
        """What this plugin keeps about one rollout, made at the first use; mutable, it goes with the rollout."""
        if self.kind not in rollout.notes:
            rollout.notes[self.kind] = make()
        return rollout.notes[self.kind]

    def before_turn(self, rollout: Rollout) -> str | None:
        return None

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        return None

    def before_tool(self, rollout: Rollout, call: ToolCall) -> Deny | Rewrite | None:
        return None

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        return reply

    def after_tool(self, rollout: Rollout) -> str | None:
        return None

    def at_end(self, rollout: Rollout) -> None:
        return None
