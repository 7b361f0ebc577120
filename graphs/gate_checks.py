"""A tool gate held against the tools that its graph has: names that fit none of them, gates that let none through."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from graphs.schema import GraphSpec, ToolGate
from graphs.toolbox import SEARCH, named_tools
from prompts.closed_yaml import Path, closest
from store.errors import UsageError

_WILD = frozenset("*?[")


def gate_warnings(spec: GraphSpec) -> Iterator[UsageError]:
    """Nothing where the names are not known before the graph runs: those of an MCP server's tools."""
    known = _tool_names(spec)
    if known is None:
        return
    for number, gate in enumerate(spec.plugins):
        if isinstance(gate, ToolGate):
            yield from _unknown(spec, number, gate, known)
            if known and not any(_passes(gate, name) for name in known):
                listed = ", ".join(sorted(known))
                message = f"this gate refuses every tool of the graph ({listed}); mend 'allow' or 'deny'"
                yield spec.error(("plugins", number), message)


def _unknown(spec: GraphSpec, number: int, gate: ToolGate, known: frozenset[str]) -> Iterator[UsageError]:
    for key, name in _named(gate):
        if not _WILD & set(name) and name not in known:
            listed = ", ".join(sorted(known)) or "none"
            message = f"the graph has no tool '{name}'; it has: {listed}{closest(name, known)}"
            yield spec.error(("plugins", number, *key), message)


def _named(gate: ToolGate) -> Iterator[tuple[Path, str]]:
    """What a rule rewrites calls from may be a name that only models know; what it rewrites them to may not."""
    yield from ((("allow", at), name) for at, name in enumerate(gate.allow or ()))
    yield from ((("deny", at), name) for at, name in enumerate(gate.deny))
    yield from ((("rewrite", at, "to"), rule.to) for at, rule in enumerate(gate.rewrite) if rule.to)


def _passes(gate: ToolGate, name: str) -> bool:
    allowed = gate.allow is None or any(fnmatchcase(name, pattern) for pattern in gate.allow)
    return allowed and not any(fnmatchcase(name, pattern) for pattern in gate.deny)


def _tool_names(spec: GraphSpec) -> frozenset[str] | None:
    if spec.tools.mcp:
        return None
    try:
        imported = named_tools(spec)
    except UsageError:  # told where the graph is loaded
        return None
    named = {imported[name].value.name if name in imported else name for name in spec.tools.named}
    return frozenset(named | ({SEARCH} if spec.tools.search is not None else set()))
