"""`karl show RUN`: funnel, trainings and evaluation of one run."""

from __future__ import annotations

import click

from karl.commands.common import console, open_store, print_json, settings_of


@click.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(context: click.Context, run: str, as_json: bool) -> None:
    """Show RUN: where each question went, how training went, before and after."""
    from karl.summary import run_summary
    from karl.tables import print_summary
    from store import queries

    settings = settings_of(context)
    with open_store(settings) as store:
        with store.session() as session:
            row = queries.run_by_name(session, run)
        summary = run_summary(store, row)
    if as_json:
        print_json(summary)
        return
    out = console()
    out.print(f"run {row.name}: {row.state}" + (f" ({row.error})" if row.error else ""), markup=False, soft_wrap=True)
    print_summary(summary, out)
