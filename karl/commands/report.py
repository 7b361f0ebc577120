"""`karl report EVALUATION...`: what was measured, as Markdown and as one HTML page; any number side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from karl.commands.common import open_store, settings_of

if TYPE_CHECKING:
    from evals.report.joined import Joined
    from evals.report.traces import Trace
    from karl.settings import Settings
    from store.types import RolloutRecord


@click.command()
@click.argument("evaluations", nargs=-1, required=True, metavar="EVALUATION...")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the HTML report to this file.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write the Markdown to this file.")
@click.option("--traces", type=click.IntRange(min=0), default=0, help="Failures a system to embed step by step.")
@click.pass_context
def report(
    context: click.Context, evaluations: tuple[str, ...], html: Path | None, markdown: Path | None, traces: int
) -> None:
    """Report one or several evaluations: scores, comparisons, cost, latency, behaviour, every question.

    An EVALUATION is a file that `karl eval --json` printed, or the name or hash of one in the store. Without --html and
    --markdown the Markdown is printed.
    """
    from evals.report.joined import join
    from evals.report.kept import open_document
    from evals.report.markdown import markdown_report

    if traces and html is None:
        raise click.UsageError("--traces puts steps into the HTML report; give --html FILE too")
    settings = settings_of(context)
    kept = settings.home / "evaluations"
    joined = join([open_document(one, kept, say=_say) for one in evaluations])
    if html is not None:
        from evals.report.html.page import html_report

        held = _traces(joined, traces, settings) if traces else {}
        _write(html, html_report(joined, traces=held))
    if markdown is not None:
        _write(markdown, markdown_report(joined))
    if html is None and markdown is None:
        click.echo(markdown_report(joined), nl=False)


def _say(message: str) -> None:
    click.echo(message, err=True)


def _write(path: Path, text: str) -> None:
    from store.errors import UsageError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path}: cannot write the report: {exc.strerror}; give a file in another folder") from exc
    click.echo(f"{path}: {len(text.encode()) / 1000:,.0f} kB", err=True)


def _traces(joined: Joined, count: int, settings: Settings) -> dict[str, Trace]:
    """Of rollouts that this store holds; what it does not is said."""
    from evals.report.traces import make_trace, telling_failures
    from store import queries

    wanted = telling_failures(joined, count)
    found: dict[str, Trace] = {}
    with open_store(settings) as store, store.session() as session:
        for key in wanted:
            id_ = queries.rollout_id_by_key(session, key)
            if id_ is None:
                continue
            record: RolloutRecord = queries.trace_record(queries.load_rollout(session, id_))
            names = queries.names_of_chunks(session, {hit for step in record.steps for hit in step.hits})
            found[key] = make_trace(record, name_of=lambda hit, names=names: _name(names, hit))
    if len(found) < len(wanted):
        click.echo(
            f"{len(wanted) - len(found)} of {len(wanted)} traces are not in the store of {settings.home}; give "
            "`karl --home DIR report ...` the folder that the evaluation ran in",
            err=True,
        )
    return found


def _name(names: dict[int, tuple[str, int | None]], hit: int) -> str:
    key, page = names.get(hit, (f"chunk {hit}", None))
    return key if page is None else f"{key}#{page}"
