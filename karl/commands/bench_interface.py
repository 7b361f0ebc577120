"""`karl bench store | tui`: a store of 100,000 rollouts, and the interface over it."""

from __future__ import annotations

import click

from karl.commands.bench_options import AS_JSON, STRICT, finish
from karl.commands.common import console, settings_of

ROLLOUTS = click.option("--rollouts", default=100_000, show_default=True, type=click.IntRange(min=1000))
STEPS = click.option("--steps", default=20, show_default=True, type=click.IntRange(min=2), help="Of each rollout.")
SEED = click.option("--seed", default=0, show_default=True)


@click.command()
@ROLLOUTS
@STEPS
@click.option("--keep", is_flag=True, help="Leave the store: under bench/ in the home, a home of its own.")
@SEED
@AS_JSON
@STRICT
@click.pass_context
def store(
    context: click.Context, rollouts: int, steps: int, keep: bool, seed: int, as_json: bool, strict: bool
) -> None:
    """Fill a store with made-up rollouts, and time what screens ask of it."""
    from karl.benches.store import store_bench
    from karl.terminal import TerminalReporter

    report = store_bench(
        home=settings_of(context).home,
        rollouts=rollouts,
        steps=steps,
        seed=seed,
        keep=keep,
        reporter=TerminalReporter(console(stderr=True)),
    )
    if keep:
        click.echo(f"kept: {report['figures']['file']}", err=True)
    finish(report, as_json=as_json, strict=strict)


@click.command()
@ROLLOUTS
@STEPS
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(min=1), help="Visits of every room.")
@click.option("--idle", default=10.0, show_default=True, help="Seconds that a room is watched for its processor time.")
@SEED
@AS_JSON
@STRICT
@click.pass_context
def tui(
    context: click.Context, rollouts: int, steps: int, rounds: int, idle: float, seed: int, as_json: bool, strict: bool
) -> None:
    """Drive the interface headless over such a store: opening, rooms, filters, memory, processor time.

    The store is kept under bench/ in the home, and made where it is not there yet.
    """
    from karl.benches.tui import tui_bench
    from karl.terminal import TerminalReporter

    report = tui_bench(
        home=settings_of(context).home,
        rollouts=rollouts,
        steps=steps,
        rounds=rounds,
        idle=idle,
        seed=seed,
        reporter=TerminalReporter(console(stderr=True)),
    )
    finish(report, as_json=as_json, strict=strict)
