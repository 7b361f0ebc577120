"""`karl mcp`: serve search and answers to programs that speak the Model Context Protocol."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Literal

import click

from karl.commands.common import open_store, settings_of
from store.errors import UsageError


@click.command()
@click.option("--corpus", "corpora", multiple=True, help="Serve only this corpus (repeatable); default: all.")
@click.option("--transport", type=click.Choice(["stdio", "http"]), default="stdio", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="For http. There is no log-in: keep it local.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535), help="For http.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint folder; default: the newest trained.")
@click.pass_context
def mcp(
    context: click.Context,
    corpora: tuple[str, ...],
    transport: Literal["stdio", "http"],
    host: str,
    port: int,
    checkpoint: Path | None,
) -> None:
    """Serve the tools vector_search and ask. Over http the address is http://HOST:PORT/mcp; logs go to stderr."""
    import asyncio

    from karl.corpus_service import CorpusService

    try:
        from karl.mcp_server import serve
    except ModuleNotFoundError as exc:
        if (exc.name or "").split(".")[0] != "mcp":
            raise
        raise UsageError("karl mcp needs the extra: pip install 'karl-agents[mcp]'") from exc

    settings = settings_of(context)
    with open_store(settings) as store:
        service = CorpusService(store, settings, corpora=corpora, checkpoint=checkpoint)
        if transport == "stdio":
            # A thread waits in stdin and can't be woken: Ctrl-C ends the process (rollouts are single transactions).
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        else:
            click.echo(f"serving on http://{host}:{port}/mcp", err=True)
        asyncio.run(serve(service, transport=transport, host=host, port=port))
