"""`vector_search` and `ask` as tools of the Model Context Protocol. The official SDK speaks; this says what about."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout
from typing import Annotated, Literal

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from karl.corpus_service import CorpusService
from store.errors import KarlError
from store.types import Hit

READS_ONLY = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
MOST_HITS = 200
CUT = 4_000  # characters of a passage, as the agents' own searches show them
Transport = Literal["stdio", "http"]
Value = str | int | float
Filter = Annotated[
    dict[str, Value | Annotated[list[Value], Field(min_length=1)]] | None,
    Field(
        description="only passages with these properties: `path` of the document, `title`, `page`, `headings`, or what "
        "documents say of themselves, each one value or several to choose from; in any case, * stands for anything: "
        '{"path": "3M*", "year": [2018, 2019]}'
    ),
]
Corpus = Annotated[str | None, Field(description="which corpus; may be left out where only one is served")]


class Passage(BaseModel):
    """A chunk of a document, as found or cited."""

    chunk_id: int
    key: str = Field(description="path of the document, and the chunk's number in it")
    path: str = ""
    title: str
    page: int | None = None
    headings: list[str] = Field(default_factory=list, description="above the passage, outermost first")
    properties: dict[str, str | int] = Field(default_factory=dict, description="what the document says of itself")
    text: str
    score: float | None = Field(default=None, description="of the search; a citation has none")


class Passages(BaseModel):
    passages: list[Passage] = Field(description="best first")


class Reply(BaseModel):
    """`answer` is empty where `failure` says why there is none."""

    answer: str
    explanation: str
    confidence: float | None = Field(description="in [0, 1]; what the policy itself stated")
    citations: list[Passage]
    searches: list[str] = Field(description="what was searched for, in order")
    failure: str | None
    trace_id: str = Field(description="the rollout in the store")
    checkpoint: str = Field(description="the model that answered")


def make_server(
    service: CorpusService, *, transport: Transport = "stdio", host: str = "127.0.0.1", port: int = 8765
) -> FastMCP:
    """A server over `service`; `host` and `port` count for HTTP alone."""
    server = FastMCP(
        "karl",
        instructions=f"Search and question document collections. Corpora: {', '.join(service.names()) or 'none yet'}.",
        host=host,
        port=port,
        log_level="WARNING",
        lifespan=_quiet_stdout if transport == "stdio" else None,
    )

    @server.tool(annotations=READS_ONLY)
    async def vector_search(
        query: Annotated[str, Field(min_length=1, description="words that the wanted passage would use")],
        corpus: Corpus = None,
        k: Annotated[int, Field(ge=1, le=MOST_HITS, description="how many passages")] = 20,
        where: Filter = None,
        max_chars: Annotated[int, Field(ge=0, description="of a passage's text, the rest is cut; 0: all of it")] = CUT,
    ) -> Passages:
        """Find the passages of a corpus that are nearest to a query."""
        async with _told():
            hits = await service.search(corpus, query, k, where)
        return Passages(passages=[_found(hit, max_chars=max_chars) for hit in hits])

    @server.tool(annotations=READS_ONLY)
    async def ask(
        question: Annotated[str, Field(min_length=1)],
        context: Context,
        corpus: Corpus = None,
    ) -> Reply:
        """Answer a question from a corpus: an agent searches until it can, and cites the passages it rests on."""
        searches: list[str] = []

        async def on_search(query: str) -> None:
            searches.append(query)
            await context.report_progress(len(searches), message=f"search: {query}")

        async with _told():
            answer, checkpoint = await service.ask(corpus, question, on_search)
        cited = [
            Passage(**{n: getattr(c, n) for n in ("chunk_id", "key", "title", "page", "text")})
            for c in answer.citations
        ]
        return Reply(
            answer=answer.answer,
            explanation=answer.explanation,
            confidence=answer.confidence,
            citations=cited,
            searches=searches,
            failure=answer.failure.reason if answer.failure else None,
            trace_id=answer.trace_id,
            checkpoint=str(checkpoint),
        )

    return server


async def serve(service: CorpusService, *, transport: Transport, host: str, port: int) -> None:
    """Until the client hangs up (stdio) or the process is told to stop (http). Closes `service`."""
    server = make_server(service, transport=transport, host=host, port=port)
    try:
        if transport == "http":
            await server.run_streamable_http_async()
        else:
            _claim_stdout()
            await server.run_stdio_async()
    finally:
        await service.aclose()


def _claim_stdout() -> None:
    """Leave stdout to the protocol: what libraries and child processes write to descriptor 1 goes to stderr."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)


@asynccontextmanager
async def _quiet_stdout(_: FastMCP) -> AsyncIterator[None]:
    """The transport holds its stream by now: a stray `print` must not reach it."""
    with redirect_stdout(sys.stderr):
        yield


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What a person could mend reaches the client as the tool's error."""
    try:
        yield
    except KarlError as exc:
        raise ToolError(str(exc)) from exc


def _found(hit: Hit, *, max_chars: int) -> Passage:
    cut = 0 < max_chars < len(hit.text)
    return Passage(
        chunk_id=hit.chunk_id,
        key=hit.key,
        path=hit.path,
        title=hit.title,
        page=hit.page,
        headings=list(hit.headings),
        properties=dict(hit.metadata),
        text=hit.text[:max_chars].rstrip() + " …" if cut else hit.text,
        score=hit.score,
    )
