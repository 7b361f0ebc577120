"""`plugins`: one settings model per kind; the order in the file is the order in which they are asked."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, SerializeAsAny, Tag, WithJsonSchema, model_validator
from pydantic.functional_validators import PlainValidator

from graphs.schema.closed import Closed

_EXTERNAL = "an installed plugin"


class PluginSettings(Closed):
    """Base of every plugin's settings. What it can do to the routes stands on the class, known before it is built.

    `turn_outcomes` and `tool_outcomes`: what it may make of a turn and of a tool node, beside what those end with
    anyway; each needs a route. `bounds_turns`: no rollout goes on for ever under it.
    """

    kind: Any  # a Literal in every kind of plugin
    turn_outcomes: ClassVar[frozenset[str]] = frozenset()
    tool_outcomes: ClassVar[frozenset[str]] = frozenset()
    bounds_turns: ClassVar[bool] = False

    def prompt_names(self) -> tuple[str, ...]:
        """Prompts that the plugin renders; they are loaded, hashed and handed to its `build`."""
        return ()


class StepBudget(PluginSettings):
    """Ends the rollout after `steps` turns; the reply before the last one ends with the `last_call` prompt."""

    turn_outcomes = frozenset({"exhausted"})
    bounds_turns = True

    kind: Literal["step_budget"]
    steps: int = Field(ge=1, description="turns of the policy; compressions do not count")
    last_call: bool = Field(default=True, description="announce the last turn with the prompt `last_call`")

    def prompt_names(self) -> tuple[str, ...]:
        return ("last_call",) if self.last_call else ()


class TokenBudget(PluginSettings):
    """Ends the rollout once it has sampled `tokens` tokens, summaries included."""

    turn_outcomes = frozenset({"exhausted"})
    bounds_turns = True

    kind: Literal["token_budget"]
    tokens: int = Field(ge=1, description="sampled by one rollout, at most")
    last_call_tokens: int | None = Field(
        default=None, ge=1, description="once so few are left, the next turn is announced as the last, and is it"
    )

    def prompt_names(self) -> tuple[str, ...]:
        return ("last_call",) if self.last_call_tokens else ()

    @model_validator(mode="after")
    def _fits_in(self) -> TokenBudget:
        if self.last_call_tokens is not None and self.last_call_tokens > self.tokens:
            raise ValueError(_too_early("last_call_tokens", self.last_call_tokens, "tokens", self.tokens))
        return self


class TimeBudget(PluginSettings):
    """Ends the rollout once `seconds` of wall clock are over, between turns: unfinished, the policy's own fault.

    `limits.seconds` also interrupts a turn under way and makes the rollout a failure of the environment.
    """

    turn_outcomes = frozenset({"exhausted"})
    bounds_turns = True

    kind: Literal["time_budget"]
    seconds: float = Field(gt=0, description="wall clock of one rollout, looked at between turns")
    last_call_seconds: float | None = Field(
        default=None, gt=0, description="once so few are left, the next turn is announced as the last, and is it"
    )

    def prompt_names(self) -> tuple[str, ...]:
        return ("last_call",) if self.last_call_seconds else ()

    @model_validator(mode="after")
    def _fits_in(self) -> TimeBudget:
        if self.last_call_seconds is not None and self.last_call_seconds > self.seconds:
            raise ValueError(_too_early("last_call_seconds", self.last_call_seconds, "seconds", self.seconds))
        return self


def _too_early(key: str, left: float, whole_key: str, whole: float) -> str:
    return f"{key} {left:g} is above {whole_key} {whole:g}: more than there is can't be left; make it smaller"


class Compression(PluginSettings):
    """When the open segment exceeds a trigger after a tool's reply, the policy summarises its history."""

    tool_outcomes = frozenset({"compress"})

    kind: Literal["compression"]
    trigger_tokens: int | None = Field(default=None, ge=1, description="tokens of the open segment")
    trigger_chars: int | None = Field(default=None, ge=1, description="characters of the open segment, glue included")
    summary_tokens: int = Field(ge=1, description="at most so many are sampled for a summary")
    max_compressions: int | None = Field(default=None, ge=1, description="of one rollout; then the history grows on")

    @model_validator(mode="after")
    def _has_trigger(self) -> Compression:
        if self.trigger_tokens is None and self.trigger_chars is None:
            raise ValueError("nothing triggers it; add 'trigger_tokens: ...' or 'trigger_chars: ...'")
        return self


class RewriteRule(Closed):
    """Calls of `tool` go to the tool `to`, and `pattern` is replaced in their string `argument`."""

    tool: str = Field(min_length=1, description="name of the tool whose calls are rewritten")
    to: str | None = Field(default=None, min_length=1, description="tool that gets the call instead")
    argument: str | None = Field(default=None, min_length=1, description="string argument that is rewritten")
    pattern: re.Pattern[str] | None = Field(default=None, description="regular expression")
    replacement: str = Field(default="", description=r"may refer to groups: \1")

    @model_validator(mode="after")
    def _does_something(self) -> RewriteRule:
        if (self.argument is None) != (self.pattern is None):
            raise ValueError("'argument' and 'pattern' belong together: what to replace, and where")
        if self.to is None and self.pattern is None:
            raise ValueError("it rewrites nothing; add 'to: ...', or 'argument: ...' with 'pattern: ...'")
        if self.pattern is not None:
            _check_replacement(self.pattern, self.replacement)
        return self


def _check_replacement(pattern: re.Pattern[str], replacement: str) -> None:
    """Raises: ValueError for a group that the pattern does not have, or an escape that is none."""
    try:
        pattern.sub(replacement, "")  # the template is read even where nothing matches
    except (re.error, IndexError) as exc:
        raise ValueError(f"'replacement' does not fit 'pattern' ({pattern.groups} groups): {exc}") from exc


class ToolGate(PluginSettings):
    """Decides about every tool call before it is carried out. Names may hold wildcards: `web_*`.

    A call is first rewritten, then held against `deny`, `allow` and the guards of the search query.
    """

    kind: Literal["tool_gate"]
    allow: tuple[str, ...] | None = Field(default=None, description="only these tools; absent: all")
    deny: tuple[str, ...] = Field(default=(), description="none of these tools")
    rewrite: tuple[RewriteRule, ...] = Field(default=(), description="applied in order")
    duplicate_queries: Literal["allow", "warn", "refuse"] = Field(
        default="allow", description="a query whose results still stand in the open segment"
    )
    min_query_chars: int = Field(default=0, ge=0, description="shorter search queries are refused")
    max_query_chars: int | None = Field(default=None, ge=1, description="longer search queries are refused")

    def prompt_names(self) -> tuple[str, ...]:
        return ("repeated_query",) if self.duplicate_queries == "warn" else ()

    @model_validator(mode="after")
    def _lengths(self) -> ToolGate:
        if self.max_query_chars is not None and self.max_query_chars < self.min_query_chars:
            raise ValueError(f"max_query_chars {self.max_query_chars} is below min_query_chars {self.min_query_chars}")
        return self


BUILT_IN_PLUGINS: dict[str, type[PluginSettings]] = {
    "step_budget": StepBudget,
    "token_budget": TokenBudget,
    "time_budget": TimeBudget,
    "compression": Compression,
    "tool_gate": ToolGate,
}


def _tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in BUILT_IN_PLUGINS else _EXTERNAL


def _external(value: Any) -> PluginSettings:
    """Settings of a plugin found among the installed packages. Raises: ValidationError with the file's own paths."""
    from graphs.plugins.external import external_settings

    return value if isinstance(value, PluginSettings) else external_settings(value)


# Completion in editors: an installed plugin's own keys are not known where the schema is written.
_EXTERNAL_SCHEMA = {
    "type": "object",
    "title": "Installed plugin",
    "description": "A plugin of another package (entry point group karl.plugins).",
    "properties": {"kind": {"type": "string", "not": {"enum": sorted(BUILT_IN_PLUGINS)}}},
    "required": ["kind"],
}
_Installed = Annotated[SerializeAsAny[PluginSettings], PlainValidator(_external), WithJsonSchema(_EXTERNAL_SCHEMA)]
PluginSpec = Annotated[
    Annotated[StepBudget, Tag("step_budget")]
    | Annotated[TokenBudget, Tag("token_budget")]
    | Annotated[TimeBudget, Tag("time_budget")]
    | Annotated[Compression, Tag("compression")]
    | Annotated[ToolGate, Tag("tool_gate")]
    | Annotated[_Installed, Tag(_EXTERNAL)],
    Discriminator(_tag),
]
