"""`tools`: what a turn may call, with which settings, and how the policy learns of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agents.mcp_settings import McpServer
from graphs.schema.closed import Closed
from prompts.output import CallFormatName

CHARS_PER_TOKEN = 4  # of English prose; a budget need not be exact
MOST_HITS = 20  # more flood the context and hurt (KARL, section 2)
_PROPERTY = r"^[A-Za-z_][\w.-]*$"
_SERVER = r"^[A-Za-z_][\w.-]*$"
_TOOL = r"^[A-Za-z_][\w.-]*(:[A-Za-z_]\w*)?$"


class SearchSettings(Closed):
    """`search: {k: 20}`, or `search: {tokens: 10000}` for about equal shares of the context whatever the corpus."""

    k: int = Field(default=20, ge=1, le=200, description="hits per query; with `tokens`, the most")
    max_chars: int = Field(default=4_000, ge=16, description="a hit's text is cut to this")
    text: Literal["flowing", "lines"] = Field(
        default="flowing", description="`flowing`: all white space is one blank; `lines`: lines and columns stay"
    )
    seen: Literal["repeat", "mark", "leave_out"] = Field(
        default="repeat",
        description="a passage shown since the last compression: again, its number and title only, or not at all",
    )
    filters: tuple[Annotated[str, Field(pattern=_PROPERTY)], ...] = Field(
        default=(), description="properties a call may ask for: path, title, page, headings, or one of the documents"
    )
    queries: int = Field(
        default=1, ge=1, le=8, description="queries a call may hold; their hits take turns, k of them in all"
    )
    tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens of passages per query: k falls as the corpus' mean chunk grows, and is at most 20",
    )

    def hits(self, mean_chars: float) -> int:
        """Hits per query over chunks of `mean_chars` characters."""
        if self.tokens is None:
            return self.k
        shown = max(min(mean_chars, self.max_chars), 1.0)
        return max(1, min(self.k, MOST_HITS, int(self.tokens * CHARS_PER_TOKEN / shown)))


class Tools(Closed):
    """What the tool nodes can carry out."""

    search: SearchSettings | None = Field(default=None, description="search over the corpus that the graph is given")
    named: tuple[Annotated[str, Field(pattern=_TOOL)], ...] = Field(
        default=(), description="tools given from Python by name, or `module:object`: a LangChain tool, or a function"
    )
    mcp: dict[Annotated[str, Field(pattern=_SERVER)], McpServer] = Field(
        default_factory=dict, description="MCP servers by a name of your choice"
    )
    announce: Literal["prompt", "template"] = Field(
        default="prompt",
        description="`prompt`: the opening prompt's variable `tools`; `template`: the chat template's own tool list",
    )
    calls: CallFormatName | Literal["auto"] = Field(
        default="auto", description="how calls are written where a prompt says `calls: auto`; auto: by chat template"
    )
    calls_per_turn: int = Field(default=8, ge=1, le=64, description="further calls of a turn are refused")
    concurrency: int = Field(default=4, ge=1, le=64, description="calls of one turn that run at once")

    @property
    def configured(self) -> bool:
        """Whether there is anything to call."""
        return self.search is not None or bool(self.named or self.mcp)
