"""`karl demo`: two generated companies, then exactly the path of a user's folder."""

from __future__ import annotations

from typing import Any

import click

from karl.commands.common import console, open_store, settings_of
from karl.commands.run import carry_out, overrides


@click.command()
@click.option("--iterations", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, help="Which companies, and every draw of the run.")
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="Any other run setting, key=value.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON at the end.")
@click.pass_context
def demo(context: click.Context, iterations: int, seed: int, settings_set: dict[str, Any], as_json: bool) -> None:
    """Watch the loop learn: train on one company's notes, measure on another's, in minutes and without a GPU.

    Writes both companies' notes under the data folder, ingests them, and runs what `karl run` runs.
    """
    from karl.terminal import TerminalReporter
    from karl.tiny.companies import demo_config, prepare_demo

    settings = settings_of(context)
    with open_store(settings) as store:
        made = prepare_demo(store, seed=seed, settings=settings, reporter=TerminalReporter(console(stderr=True)))
    config = demo_config(made, seed=seed, iterations=iterations, overrides=settings_set)
    carry_out(context, config, name=None, as_json=as_json)
