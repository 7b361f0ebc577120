"""`karl tui`: launch, watch, read and edit in the terminal."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from karl.commands.common import open_store, settings_of
from store.errors import KarlError, UsageError

if TYPE_CHECKING:
    from tui.app import KarlApp

# Seconds: a screen tells of a locked database and asks again; nobody who quits waits for it.
PATIENCE = 2.0


@click.command()
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture of the screen to this file instead; needs no terminal.",
)
@click.option("--room", default="home", show_default=True, help="Where to begin: home, run ...")
@click.option("--theme", envvar="KARL_TUI_THEME", help="karl-dark, karl-light, karl-contrast, karl-safe, or textual's.")
@click.option("--size", default="140x42", show_default=True, help="Of the picture, columns x rows.")
@click.pass_context
def tui(context: click.Context, svg: Path | None, room: str, theme: str | None, size: str) -> None:
    """Launch runs, watch them, read traces, edit graphs and prompts, ask. Quitting stops no run."""
    columns, rows = _size(size)
    if svg is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("`karl tui` needs a terminal; `karl runs` and `karl show RUN` print the same without one")
    settings = settings_of(context)
    with _no_collection(), open_store(settings, patience=PATIENCE) as store:
        from tui.app import KarlApp
        from tui.picture import picture

        _check_room(room)
        app = KarlApp(store, settings, room=room)
        _set_theme(app, theme)
        if svg is None:
            app.run()
        else:
            _write(svg, asyncio.run(picture(app, columns=columns, rows=rows)))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Until a first reading has ended, when the first room turns it on: what is made while opening stays anyway."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check_room(name: str) -> None:
    from tui.rooms import ROOMS

    names = [room.name for room in ROOMS]
    if name not in names:
        raise UsageError(f"--room {name!r}: there are {', '.join(names)}")


def _set_theme(app: KarlApp, name: str | None) -> None:
    if name is not None and name not in app.available_themes:
        raise UsageError(f"--theme {name!r}: there are {', '.join(sorted(app.available_themes))}")
    app.theme = name or app.theme


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
