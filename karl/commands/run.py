"""`karl run --corpus NAME`: the whole loop on a user's corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from karl.commands.common import console, open_store, print_json, settings_of


def overrides(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    """`--set key=value` pairs, values as JSON where they are JSON."""
    import json

    values: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator:
            raise click.BadParameter(f"{pair!r}: write key=value")
        try:
            values[key] = json.loads(text)
        except json.JSONDecodeError:
            values[key] = text
    return values


@click.command()
@click.option("--corpus", required=True, help="A corpus made by `karl ingest`.")
@click.option("--iterations", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--name", help="Name of the run; default: CORPUS-1, CORPUS-2 ...")
@click.option("--questions", type=click.Path(path_type=Path), help="Held-out questions, JSONL: question, answer.")
@click.option("--question-corpus", help="Corpus that the held-out questions are asked of, if another.")
@click.option("--base", type=click.Path(path_type=Path), help="Checkpoint to start from; default: the embedded policy.")
@click.option("--recipe", help="Training recipe: a name or a TOML file.")
@click.option("--task", "tasks", multiple=True, help="The graphs' overrides for a task. Repeatable, the last wins.")
@click.option("--seed", default=0, show_default=True)
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="Any other run setting, key=value.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON at the end.")
@click.pass_context
def run(context: click.Context, name: str | None, settings_set: dict[str, Any], as_json: bool, **given: Any) -> None:
    """Write questions about CORPUS, try them, filter, train with OAPL, evaluate; the same command resumes."""
    from karl.run_config import make_config

    config = make_config({**{key: value for key, value in given.items() if value is not None}, **settings_set})
    carry_out(context, config, name=name, as_json=as_json)


def carry_out(context: click.Context, config: Any, *, name: str | None, as_json: bool) -> None:
    """Open or resume the run, execute it, print its summary. Exit code 130 when Ctrl-C stopped it."""
    from karl.judges import open_judge
    from karl.preflight import check_run
    from karl.runs import execute, open_run
    from karl.summary import run_summary
    from karl.tables import print_summary
    from karl.terminal import TerminalReporter

    settings = settings_of(context)
    reporter = TerminalReporter(console(stderr=True))
    check_run(config, settings=settings)
    with open_store(settings) as store:
        opened = open_run(store, config, name=name)
        reporter.say(f"run {opened.run.name}: {'goes on' if opened.resumed else 'starts'}")
        judge = open_judge(settings)
        note = " (normalised match; it knows no paraphrase)" if judge.name == "rule" else ""
        reporter.say(f"judge: {judge.name}{note}")
        finished = execute(store, opened, config=config, settings=settings, judge=judge, reporter=reporter)
        summary = run_summary(store, opened.run)
    if not finished:
        reporter.say("stopped; everything finished is stored, and the same command goes on from here")
        raise click.exceptions.Exit(130)
    if as_json:
        print_json(summary)
    else:
        print_summary(summary, console())
