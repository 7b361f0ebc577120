"""Allows, denies or rewrites tool calls; guards against searching the same thing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from agents.judges import normalise
from graphs.plugins.base import Deny, Passive, Rewrite
from graphs.schema import RewriteRule, ToolGate
from graphs.state import Rollout
from prompts.output import ToolCall


@dataclass(slots=True)
class _Searched:
    """Queries in normal form, of segment `segment` only: after a compression their results are out of sight."""

    segment: int = 0
    queries: set[str] = field(default_factory=set)
    repeated: list[str] = field(default_factory=list)  # of this turn, to be warned about


class ToolGatePlugin(Passive[ToolGate]):
    Settings = ToolGate

    def before_tool(self, rollout: Rollout, call: ToolCall) -> Deny | Rewrite | None:
        rewritten = call
        for rule in self.settings.rewrite:
            rewritten = _apply(rule, rewritten)
        reason = self._forbidden(rewritten.name) or self._unfit(rewritten) or self._repeated(rollout, rewritten)
        if reason:
            return Deny(reason)
        return None if rewritten == call else Rewrite(rewritten)

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        if self.settings.duplicate_queries != "warn":
            return reply
        searched = self.note(rollout, _Searched)
        warnings = [self.prompts["repeated_query"].render(query=query) for query in searched.repeated]
        searched.repeated.clear()
        return "\n".join([*warnings, reply])

    def _forbidden(self, name: str) -> str | None:
        allow = self.settings.allow
        if _named(name, self.settings.deny) or (allow is not None and not _named(name, allow)):
            return f"the tool '{name}' may not be used here"
        return None

    def _unfit(self, call: ToolCall) -> str | None:
        query, longest = _query(call), self.settings.max_query_chars
        if query is None:
            return None
        if len(query) < self.settings.min_query_chars:
            return f"the query has {len(query)} characters; write at least {self.settings.min_query_chars}"
        if longest is not None and len(query) > longest:
            return f"the query has {len(query)} characters; write at most {longest}"
        return None

    def _repeated(self, rollout: Rollout, call: ToolCall) -> str | None:
        query = _query(call)
        if query is None or self.settings.duplicate_queries == "allow":
            return None
        searched = self.note(rollout, _Searched)
        if searched.segment != rollout.conversation.opened:
            searched.segment, searched.queries = rollout.conversation.opened, set()
        known = normalise(query) in searched.queries
        searched.queries.add(normalise(query))
        if known and self.settings.duplicate_queries == "warn":
            searched.repeated.append(query)
        refused = known and self.settings.duplicate_queries == "refuse"
        return (
            f"'{query}' was searched before and its results stand above; search for something else" if refused else None
        )


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _query(call: ToolCall) -> str | None:
    """Of a search; other tools have arguments of their own."""
    query = call.arguments.get("query")
    return query.strip() if call.name == "search" and isinstance(query, str) else None


def _apply(rule: RewriteRule, call: ToolCall) -> ToolCall:
    if not fnmatchcase(call.name, rule.tool):
        return call
    arguments: Mapping[str, object] = call.arguments
    value = arguments.get(rule.argument) if rule.argument else None
    if rule.argument and rule.pattern and isinstance(value, str):
        arguments = {**arguments, rule.argument: rule.pattern.sub(rule.replacement, value)}
    return replace(call, name=rule.to or call.name, arguments=dict(arguments))
