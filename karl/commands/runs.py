"""`karl runs`: one line a run."""

from __future__ import annotations

import click

from karl.commands.common import console, open_store, print_json, settings_of


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def runs(context: click.Context, as_json: bool) -> None:
    """List runs, the newest first."""
    from rich.table import Column, Table

    from karl.summary import run_summary
    from store import queries

    settings = settings_of(context)
    with open_store(settings) as store:
        with store.session() as session:
            rows = queries.runs(session)
            progress = {one.run_id: one.progress for one in queries.run_overviews(session, limit=len(rows))}
        summaries = [run_summary(store, row) for row in rows]
    if as_json:
        print_json([{"run": s["run"], "state": s["state"], "evaluation": s["evaluation"]} for s in summaries])
        return
    if not summaries:
        click.echo("no run yet; start one with `karl demo`, or `karl ingest` and `karl run`")
        return
    run, corpus = Column("run", overflow="fold"), Column("corpus", overflow="fold")  # cut names are no use
    table = Table(run, "state", corpus, "iterations", "pass@1 base", "pass@1 newest", "started")
    for summary, row in zip(summaries, rows, strict=True):
        rates = {r["arm"]: r["pass@1"]["mean"] for r in summary["evaluation"] if "@" not in r["arm"]}
        trained = [rate for arm, rate in rates.items() if arm.startswith("oapl-")]
        table.add_row(
            row.name,
            str(row.state),
            row.settings["corpus"],
            progress[row.id or 0],
            f"{rates['base']:.3f}" if "base" in rates else "",
            f"{trained[-1]:.3f}" if trained else "",
            f"{row.created_at:%Y-%m-%d %H:%M}",
        )
    console().print(table)
