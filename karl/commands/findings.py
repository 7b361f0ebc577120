"""Findings in graph and prompt files, as `karl graph validate` and `karl prompt lint` print them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from karl.commands.common import print_json

if TYPE_CHECKING:
    from prompts.lint import Finding


def report(findings: Sequence[Finding], *, looked_at: str, strict: bool, as_json: bool) -> None:
    """One a line, or as JSON. `looked_at`: "3 graphs". Raises: Exit with code 1 for errors; `strict`: for any."""
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            click.echo(finding)
        click.echo(f"{looked_at}, {len(findings)} findings", err=True)
    if any(finding.level == "error" or strict for finding in findings):
        raise click.exceptions.Exit(1)
