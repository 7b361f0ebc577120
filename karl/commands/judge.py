"""`karl judge`: what judges say, compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from karl.commands.common import console, print_json

if TYPE_CHECKING:
    from evals.scoring.agreement import Agreement, Kappa


@click.group()
def judge() -> None:
    """Compare the judgements of answers."""


@judge.command()
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option("--worst", default=10, show_default=True, type=click.IntRange(min=0), help="Items to show that differ.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True)
def agree(first: Path, second: Path, worst: int, seed: int, as_json: bool) -> None:
    """Cohen's kappa of two files of judgements (JSONL) over the same items, and where they differ most."""
    from evals.scoring.agreement import agreement
    from evals.scoring.judgement import read_judgements

    found = agreement(read_judgements(first), read_judgements(second), worst=worst, seed=seed)
    if as_json:
        print_json(found.as_dict())
    else:
        _show(found)


def _show(found: Agreement) -> None:
    from rich.table import Table

    from evals.scoring.agreement import LABELS

    click.echo(f"{found.first} against {found.second}: {found.nuggets} nuggets of {found.items} items")
    click.echo(f"same label: {found.same:.1%}")
    click.echo(f"Cohen's kappa: {_kappa(found.unweighted)}; linear weights: {_kappa(found.linear)}")
    table = Table("A \\ B", *LABELS)
    for label, row in zip(LABELS, found.confusion, strict=True):
        table.add_row(label, *map(str, row))
    console().print(table)
    for one in found.disagreements:
        click.echo(f"{one.item}, attempt {one.attempt}: distance {one.distance:.2f}")
        click.echo(f"  A: {', '.join(one.first)}\n  B: {', '.join(one.second)}")


def _kappa(kappa: Kappa) -> str:
    if kappa.value is None or kappa.low is None:
        return "undefined, both judges gave one label throughout"
    return f"{kappa.value:.3f} [{kappa.low:.3f}, {kappa.high:.3f}]"
