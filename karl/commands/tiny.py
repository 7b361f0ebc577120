"""`karl tiny`: remake the embedded policy; write a generated company's notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from karl.commands.common import console, print_json
from karl.commands.run import overrides


@click.group()
def tiny() -> None:
    """Make the embedded policy and generated companies."""


@tiny.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the new checkpoint.")
@click.option("--seed", default=0, show_default=True)
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="Any other setting, key=value.")
def make(out: Path, seed: int, settings_set: dict[str, Any]) -> None:
    """Clone the base policy from scripted demonstrations. Defaults and seed 0 make the shipped one."""
    from pydantic import ValidationError

    from karl.terminal import TerminalReporter
    from karl.tiny.make import MakeConfig, make_policy
    from store.errors import UsageError

    try:
        config = MakeConfig.model_validate({"seed": seed, **settings_set})
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise UsageError(f"{problems}; known settings: {', '.join(MakeConfig.model_fields)}") from exc
    report = make_policy(out, config=config, reporter=TerminalReporter(console(stderr=True)))
    print_json(report.model_dump())


@tiny.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True)
@click.option("--questions", type=click.Path(path_type=Path), help="Also write questions with answers to this file.")
@click.option("--count", default=150, show_default=True, help="How many questions.")
def notes(folder: Path, seed: int, questions: Path | None, count: int) -> None:
    """Write a generated company's notes to FOLDER."""
    from karl.tiny import world
    from karl.tiny.companies import write_questions

    company = world.make_world(seed)
    click.echo(f"{world.write_notes(company, folder)} notes in {folder}")
    if questions is not None:
        asked = world.questions(company, count=count, seed=seed)
        write_questions(asked, questions)
        click.echo(f"{len(asked)} questions in {questions}")
