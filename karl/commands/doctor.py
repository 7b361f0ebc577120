"""`karl doctor`: what is installed, what is missing, and the mend."""

from __future__ import annotations

import click

from karl.commands.common import console, print_json, settings_of

MARKS = {"ok": "[green]ok[/]", "optional": "[yellow]optional[/]", "missing": "[red]missing[/]"}


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check packages, policy, store, disk and endpoints; exit code 1 when something needed is missing."""
    from rich.markup import escape
    from rich.table import Table

    from karl.health import checks

    found = list(checks(settings_of(context)))
    if as_json:
        print_json([check._asdict() for check in found])
    else:
        table = Table("check", "state", "found", "mend")
        for check in found:
            table.add_row(check.name, MARKS[check.level], escape(check.found), escape(check.mend))
        console().print(table)
    if any(check.level == "missing" for check in found):
        raise click.exceptions.Exit(1)
