"""What every bench's command has: how its report is printed, and whether a target that fails is an error."""

from __future__ import annotations

from typing import Any

import click

from karl.commands.common import print_json

STRICT = click.option("--strict", is_flag=True, help="Exit with 1 if a target does not hold.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the whole report; else only the targets.")


def finish(report: dict[str, Any], *, as_json: bool, strict: bool) -> None:
    if as_json:
        print_json(report)
    else:
        for target in report["targets"]:
            mark = "holds" if target["ok"] else "FAILS"
            click.echo(f"{mark}: {target['key']}: {target['value']} {target['op']} {target['target']}")
    if strict and not all(target["ok"] for target in report["targets"]):
        raise click.exceptions.Exit(1)
