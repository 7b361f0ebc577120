"""`karl judge`: what judges say, compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from karl.commands.common import console, print_json, settings_of

if TYPE_CHECKING:
    from evals.scoring.agreement import Agreement, Kappa, Key
    from evals.scoring.judgement import Judgement

LINES = (".jsonl", ".ndjson")


@click.group()
def judge() -> None:
    """Compare the judgements of answers."""


@judge.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--system", default="", help="Of evaluations: the answers of this system alone.")
@click.option("--common", is_flag=True, help="Compare what both judged; a judge may have failed on some.")
@click.option("--worst", default=10, show_default=True, type=click.IntRange(min=0), help="Items to show that differ.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def agree(
    context: click.Context,
    first: str,
    second: str,
    system: str,
    common: bool,
    worst: int,
    seed: int,
    as_json: bool,
) -> None:
    """Cohen's kappa of two judges over the same answers, and where they differ most.

    A and B are evaluations as `karl report` takes them (a file of `karl eval --json`, the name or hash of a kept one),
    the second one made by `karl eval ... --rejudge --judge ...`; or files of judgements (.jsonl).
    """
    from evals.scoring.agreement import agreement

    kept = settings_of(context).home / "evaluations"
    ours, theirs = (_judgements(given, kept, system=system) for given in (first, second))
    found = agreement(ours, theirs, common=common, worst=worst, seed=seed)
    if as_json:
        print_json(found.as_dict())
    else:
        _show(found)


def _judgements(given: str, kept: Path, *, system: str) -> dict[Key, Judgement]:
    from evals.report.judgements import judgements_of
    from evals.report.kept import open_document
    from evals.scoring.judgement import read_judgements

    if given.endswith(LINES):
        return read_judgements(Path(given).expanduser())
    return judgements_of(open_document(given, kept, say=lambda said: click.echo(said, err=True)), system=system)


def _show(found: Agreement) -> None:
    from rich.table import Table

    from evals.scoring.agreement import LABELS

    click.echo(f"{found.first} against {found.second}: {found.nuggets} nuggets of {found.items} items")
    if found.first == found.second:
        click.echo("both are by the same judge with the same prompt: it agrees with itself")
    if found.left_out:
        click.echo(f"left out: {found.left_out} items that only one of them judged")
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
