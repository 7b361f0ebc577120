"""The agent's one tool: search. The core is a plain async method; LangChain sees a `BaseTool`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Protocol, runtime_checkable

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field

from agents.errors import ToolError, boundary
from agents.loop_thread import waiting_loop
from store.search_filter import SearchFilter, Where
from store.types import Hit

DEPTH = 1_000  # of the best hits that a filter chooses from where the searcher knows none


class Searcher(Protocol):
    """Anything that finds chunks: an index in process, a Weaviate client, a list in a test.

    One with a third parameter `where` is given filters, and finds what is best among what they let through.
    """

    async def search(self, query: str, k: int) -> list[Hit]: ...


@runtime_checkable
class SizedSearcher(Searcher, Protocol):
    """One that knows its chunks: what a token budget for passages needs."""

    @property
    def mean_chars(self) -> float: ...


class SearchInput(BaseModel, extra="forbid"):
    query: str = Field(min_length=1, description="words that the wanted passage would use")


class SearchTool(BaseTool):
    """`vector_search`: the `k` nearest chunks of one corpus. Raises ToolError when the search fails."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = "vector_search"
    description: str = "Search the document collection; returns numbered passages."
    args_schema: Any = SearchInput
    response_format: Any = "content_and_artifact"
    searcher: Any = Field(exclude=True)
    k: int = Field(default=20, ge=1)

    async def search(self, query: str, *, where: Where | None = None) -> list[Hit]:
        """At most `k` hits in rank order; `where`: only those with these properties. Raises: ToolError,
        RolloutTimeoutError."""
        async with boundary(ToolError, f"vector_search {query[:80]!r}"):
            wanted = SearchFilter.of(where)
            if wanted is None:
                return (await self.searcher.search(query, self.k))[: self.k]
            if _takes_filters(self.searcher):
                return (await self.searcher.search(query, self.k, where=where))[: self.k]
            return wanted.admits(await self.searcher.search(query, max(self.k, DEPTH)))[: self.k]

    async def search_all(self, queries: Sequence[str], *, where: Where | None = None) -> list[Hit]:
        """At most `k` hits of several queries: their first ones in turn, then their second ones, none twice."""
        found = await asyncio.gather(*(self.search(query, where=where) for query in dict.fromkeys(queries)))
        turns = (hit for row in zip_longest(*found) for hit in row if hit is not None)
        return list({hit.chunk_id: hit for hit in turns}.values())[: self.k]

    async def _arun(self, query: str) -> tuple[str, list[Hit]]:
        hits = await self.search(query)
        return "\n\n".join(f"[{n}] {hit.title}\n{hit.text}" for n, hit in enumerate(hits, 1)), hits

    def _run(self, query: str) -> tuple[str, list[Hit]]:
        return waiting_loop().run(self._arun(query))


def _takes_filters(searcher: Searcher) -> bool:
    return "where" in inspect.signature(searcher.search).parameters
