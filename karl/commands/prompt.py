"""`karl prompt list | show | copy | diff | lint`: the prompts in effect, rendered, copied, compared, checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from karl.commands.common import print_json, settings_of
from karl.commands.findings import report
from karl.commands.listing import list_entries, print_table

if TYPE_CHECKING:
    from karl.catalog import Entry
    from prompts import Prompt

_EMPTY: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "list": []}
REFERENCE = "A prompt is named by its NAME, NAME@built-in, or a file."


@click.group()
def prompt() -> None:
    """What the policy is told. Your prompt files shadow the built-in ones by name."""


@prompt.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_prompts(context: click.Context, as_json: bool) -> None:
    """List the prompts in effect: where each comes from, its parser and its variables."""
    from karl.catalog import misnamed, prompt_entries
    from prompts.loader import read_prompt

    def read(entry: Entry) -> dict[str, Any]:
        return _summary(read_prompt(entry.path, name=entry.name, variant=entry.variant))

    settings = settings_of(context)
    rows = list_entries(prompt_entries(settings), read)
    if as_json:
        print_json(rows)
        return
    for file, message in misnamed(settings.prompt_path, ".md"):
        click.echo(f"karl: {file}: {message}", err=True)
    keys = ("variant", "from", "parser", "variables", "sha256")
    columns = {"prompt": "name", **dict(zip(keys, keys, strict=True)), "from": "origin", "": "description"}
    print_table(columns, rows)


@prompt.command(epilog=REFERENCE)
@click.argument("name")
@click.option("--var", "pairs", multiple=True, metavar="VARIABLE=VALUE", help="Fill it in; lists as JSON. Repeatable.")
@click.option("--variant", default="", help="The prompt of another policy, e.g. tiny.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(context: click.Context, name: str, pairs: tuple[str, ...], variant: str, as_json: bool) -> None:
    """Print the prompt NAME: its file, or with --var what the policy would read."""
    from karl.catalog import find_prompt

    read = find_prompt(name, settings=settings_of(context), variant=variant)
    given = _values(read, pairs)
    missing = [variable for variable in read.variables if variable not in given]
    empty = {variable: _EMPTY[read.variables[variable].type] for variable in missing}
    rendered = read.render(**given, **empty) if pairs else None
    if as_json:
        print_json(_summary(read) | {"text": read.text, "rendered": rendered})
        return
    if rendered is None:
        click.echo(read.path.read_text(encoding="utf-8"), nl=False)
        return
    click.echo(rendered)
    if missing:
        click.echo(f"karl: left empty: {', '.join(missing)}; fill them in with --var", err=True)


@prompt.command()
@click.argument("name")
@click.option("--variant", default="", help="The prompt of another policy, e.g. tiny.")
@click.pass_context
def copy(context: click.Context, name: str, variant: str) -> None:
    """Copy the built-in prompt NAME into your prompt folder, to be edited there. An existing file stays."""
    from karl.project.copying import copy_prompt

    click.echo(copy_prompt(name, settings=settings_of(context), variant=variant))


@prompt.command(epilog=REFERENCE)
@click.argument("first")
@click.argument("second", required=False)
@click.option("--variant", default="", help="Compare the prompts of another policy, e.g. tiny.")
@click.pass_context
def diff(context: click.Context, first: str, second: str | None, variant: str) -> None:
    """Show how the prompt SECOND differs from FIRST; with one name, it from the built-in one.

    Exit code 1 if they differ, as of diff(1).
    """
    from karl.catalog import find_prompt, pair
    from karl.effective import difference

    settings = settings_of(context)
    old, new = (find_prompt(name, settings=settings, variant=variant) for name in pair(first, second))
    texts = (old.path.read_text(encoding="utf-8"), new.path.read_text(encoding="utf-8"))
    told = difference(*texts, names=(str(old.path), str(new.path)))
    if told:
        click.echo(told)
        raise click.exceptions.Exit(1)


@prompt.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--max-chars", default=6_000, show_default=True, help="Warn of longer bodies.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def lint(context: click.Context, paths: tuple[Path, ...], strict: bool, max_chars: int, as_json: bool) -> None:
    """Check prompt files (default: all in effect) for what can't work and what likely won't. Exit code 1 for errors."""
    from karl.catalog import files_under, misnamed, prompt_entries
    from prompts.lint import Finding, lint_prompt

    settings = settings_of(context)
    entries = prompt_entries(settings)
    variants = {entry.path.resolve() for entry in entries if entry.variant}
    files = list(files_under(paths, ".md")) if paths else [entry.path for entry in entries]
    findings = [
        finding
        for file in files
        for finding in lint_prompt(file, variant=file.resolve() in variants, max_chars=max_chars)
    ]
    ignored = misnamed(paths or settings.prompt_path, ".md")
    findings += [Finding(file, 1, 1, "warning", "misnamed", message) for file, message in ignored]
    report(findings, looked_at=f"{len(files)} prompts", strict=strict, as_json=as_json)


def _summary(read: Prompt) -> dict[str, Any]:
    return {
        "name": read.name,
        "variant": read.variant,
        "path": str(read.path),
        "sha256": read.sha256,
        "version": read.front.version,
        "description": read.front.description,
        "parser": read.output.parser,
        "actions": list(read.output.actions),
        "variables": {name: variable.type for name, variable in read.variables.items()},
    }


def _values(read: Prompt, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Raises: BadParameter for a pair that is none, or a value that is no JSON where the variable is no string."""
    import json

    values: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            raise click.BadParameter(f"{pair!r} is no VARIABLE=VALUE", param_hint="--var")
        kind = read.variables[name].type if name in read.variables else "string"
        try:
            values[name] = text if kind == "string" else json.loads(text)
        except json.JSONDecodeError as exc:
            raise click.BadParameter(
                f"'{name}' is of type {kind}; write it as JSON: {exc}", param_hint="--var"
            ) from exc
    return values
