"""`karl tui`: watch runs in the terminal."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import click

from karl.commands.common import open_store, settings_of
from store.errors import KarlError, UsageError


@click.command()
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture of the screen to this file instead; needs no terminal.",
)
@click.option("--size", default="140x42", show_default=True, help="Of the picture, columns x rows.")
@click.pass_context
def tui(context: click.Context, svg: Path | None, size: str) -> None:
    """Watch runs: funnel, training, evaluation, failures. Reads the store only; quitting stops no run."""
    columns, rows = _size(size)
    if svg is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("`karl tui` needs a terminal; `karl runs` and `karl show RUN` print the same without one")
    with open_store(settings_of(context)) as store:
        from tui.app import KarlApp, picture

        if svg is None:
            KarlApp(store).run()
        else:
            _write(svg, asyncio.run(picture(store, columns=columns, rows=rows)))


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,3})x(\d{2,3})", text)
    if found is None:
        raise UsageError(f"--size {text!r}: give columns x rows, two or three digits each, e.g. 140x42")
    return int(found[1]), int(found[2])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise KarlError(f"{path}: cannot be written: {exc.strerror}") from exc
    click.echo(f"wrote {path}")
