"""`karl init [FOLDER]`: a project folder with settings, graphs and prompts to edit."""

from __future__ import annotations

from pathlib import Path

import click

from karl.commands.common import print_json


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write files anew that are there already.")
@click.option("--json", "as_json", is_flag=True)
def init(folder: Path, force: bool, as_json: bool) -> None:
    """Write karl.toml, graphs/, prompts/ and what editors need into FOLDER (default: here); keep what is there."""
    from karl.project import init_project

    outcomes = list(init_project(folder, force=force))
    if as_json:
        groups = {"written": True, "kept": False}
        print_json({key: [str(o.path) for o in outcomes if o.written is flag] for key, flag in groups.items()})
        return
    for outcome in outcomes:
        click.echo(f"{outcome.path}: written" if outcome.written else f"{outcome.path}: kept; it was there already")
    if folder != Path("."):
        click.echo(f"next: cd {folder}, then `karl graph list`")
