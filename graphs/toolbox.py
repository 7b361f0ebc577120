"""The tool box of a graph, from its `tools`: the search, tools named or given from Python, tools of MCP servers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool

from agents.mcp_tools import server_of
from agents.toolbox import Tool, ToolBox, ToolReply, from_langchain
from agents.tools import Searcher, SearchTool, SizedSearcher
from graphs.references import Referred, referred
from graphs.schema import GraphSpec, SearchSettings
from prompts.closed_yaml import closest
from store.errors import UsageError

SEARCH = "search"


def build_toolbox(spec: GraphSpec, *, search: SearchTool | None, tools: Sequence[BaseTool] = ()) -> ToolBox:
    """Every tool that the graph names. `tools`: those it names without a module, and those of its MCP servers.

    Raises: UsageError for one that is missing, can't be imported, or is no tool.
    """
    given = {tool.name: tool for tool in tools if server_of(tool) is None}
    found = [_search(search, spec.tools.search or SearchSettings())] if search is not None else []
    imported = named_tools(spec)
    found += [
        from_langchain(imported[name].value if name in imported else _given(spec, name, given))
        for name in spec.tools.named
    ]
    return ToolBox([*found, *(from_langchain(tool) for tool in _mcp(spec, tools))])


def hits_per_query(settings: SearchSettings, searcher: Searcher) -> int:
    """k, from the token budget where there is one. Raises: UsageError where the searcher does not know its chunks."""
    if settings.tokens is None:
        return settings.k
    if not isinstance(searcher, SizedSearcher):
        raise UsageError(
            f"'tools.search.tokens' needs to know how long chunks are, and {type(searcher).__name__} has no "
            "'mean_chars'; give it one, or set 'tools.search.k' instead"
        )
    return settings.hits(searcher.mean_chars)


def named_tools(spec: GraphSpec) -> dict[str, Referred]:
    """`module:object` -> the tool, for those of `tools.named` that are written so.

    Raises: UsageError naming file and line, for one that can't be imported or is no tool.
    """
    paths = {name: ("tools", "named", number) for number, name in enumerate(spec.tools.named) if ":" in name}
    return {name: _tool(spec, path, name) for name, path in paths.items()}


def _tool(spec: GraphSpec, path: tuple[str | int, ...], reference: str) -> Referred:
    found = referred(spec, path, reference, what="tool")
    try:
        return found._replace(value=_as_tool(found.value))
    except (TypeError, ValueError) as exc:
        raise spec.error(path, f"tool '{reference}': {exc}") from exc


def _as_tool(found: Any) -> BaseTool:
    """A LangChain tool as it is; a function with typed parameters and a docstring as one. Raises: TypeError."""
    if isinstance(found, BaseTool):
        return found
    if not inspect.isfunction(found):
        raise TypeError(f"expected a function or a LangChain tool, found {type(found).__name__}")
    given: dict[str, Any] = {"coroutine" if inspect.iscoroutinefunction(found) else "func": found}
    return StructuredTool.from_function(**given)


def _search(search: SearchTool, settings: SearchSettings) -> Tool:
    described = from_langchain(search, name=SEARCH)

    async def run(arguments: dict[str, Any]) -> ToolReply:
        queries = [arguments["query"], *arguments.get("more", ())]
        return ToolReply(hits=await search.search_all(queries, where=arguments.get("where")))

    parameters = {**described.parameters, "properties": {**described.parameters["properties"], **_options(settings)}}
    return Tool(SEARCH, described.description, parameters, run)


def _options(settings: SearchSettings) -> dict[str, Any]:
    """Parameters beside the query, where the graph allows them: none by default."""
    found: dict[str, Any] = {}
    if settings.queries > 1:
        found["more"] = {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "maxItems": settings.queries - 1,
            "description": "further queries, searched at once",
        }
    if settings.filters:
        plain = [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": ["string", "integer"]}}]
        found["where"] = {
            "type": "object",
            "properties": {name: {"anyOf": plain} for name in settings.filters},
            "additionalProperties": False,
            "description": "only passages with these properties; * in a text stands for anything",
        }
    return found


def _given(spec: GraphSpec, name: str, given: dict[str, BaseTool]) -> BaseTool:
    if name not in given:
        known = ", ".join(given) or "none"
        raise UsageError(
            f"graph '{spec.name}' names the tool '{name}' and was not given it; given: {known}{closest(name, given)}; "
            "pass it from Python, or name it as 'module:object'"
        )
    return given[name]


def _mcp(spec: GraphSpec, tools: Sequence[BaseTool]) -> list[BaseTool]:
    """Tools of the graph's MCP servers, which whoever opened the servers has given."""
    chosen = [tool for tool in tools if server_of(tool) in spec.tools.mcp]
    missing = spec.tools.mcp.keys() - {server_of(tool) for tool in chosen}
    if missing:
        raise UsageError(
            f"graph '{spec.name}' uses the MCP server '{min(missing)}' and was given none of its tools; open it with "
            "agents.mcp_tools.open_mcp_tools(spec.tools.mcp) and pass them as `tools`"
        )
    return chosen
