"""`karl run --corpus NAME`: the whole loop on a user's corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from karl.commands.common import console, open_store, print_json, settings_of

if TYPE_CHECKING:
    from karl.run_config import RunConfig
    from karl.runs import Opened
    from karl.settings import Settings
    from store.session import Store


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
@click.option("--corpus", help="A corpus made by `karl ingest`.")
@click.option("--iterations", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--name", help="Name of the run; default: CORPUS-1, CORPUS-2 ...")
@click.option("--questions", type=click.Path(path_type=Path), help="Held-out questions, JSONL: question, answer.")
@click.option("--question-corpus", help="Corpus that the held-out questions are asked of, if another.")
@click.option("--base", type=click.Path(path_type=Path), help="Checkpoint to start from; default: the embedded policy.")
@click.option("--recipe", help="Training recipe: a name or a TOML file.")
@click.option("--task", "tasks", multiple=True, help="The graphs' overrides for a task. Repeatable, the last wins.")
@click.option("--seed", default=0, show_default=True)
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="Any other run setting, key=value.")
@click.option("--resume", help="Go on with this run, also one of `karl demo`, by its stored settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON at the end.")
@click.pass_context
def run(
    context: click.Context,
    name: str | None,
    settings_set: dict[str, Any],
    resume: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Write questions about CORPUS, try them, filter, train with OAPL, evaluate; the same command resumes."""
    from karl.run_config import make_config

    if resume is not None:
        _refuse_others(context)
        go_on(context, resume, as_json=as_json)
        return
    if given["corpus"] is None:
        raise click.UsageError("Missing option '--corpus'.", ctx=context)
    config = make_config({**{key: value for key, value in given.items() if value is not None}, **settings_set})
    carry_out(context, config, name=name, as_json=as_json)


def _refuse_others(context: click.Context) -> None:
    """Raises: UsageError for options that would be overlooked."""
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if others := sorted(set(given) - {"resume", "as_json"}):
        names = ", ".join("--" + {"tasks": "task", "settings_set": "set"}.get(n, n).replace("_", "-") for n in others)
        raise click.UsageError(f"--resume takes the run's own settings: leave {names} out", ctx=context)


def go_on(context: click.Context, name: str, *, as_json: bool) -> None:
    """Go on with a stored run as `carry_out` does."""
    from karl.preflight import check_run
    from karl.runs import unfinished_run

    settings = settings_of(context)
    with open_store(settings) as store:
        opened, config = unfinished_run(store, name)
        check_run(config, settings=settings)
        _execute(store, opened, config, settings=settings, as_json=as_json)


def carry_out(context: click.Context, config: RunConfig, *, name: str | None, as_json: bool) -> None:
    """Open or resume the run, execute it, print its summary. Exit code 130 when Ctrl-C stopped it."""
    from karl.preflight import check_run
    from karl.runs import open_run

    settings = settings_of(context)
    check_run(config, settings=settings)
    with open_store(settings) as store:
        _execute(store, open_run(store, config, name=name), config, settings=settings, as_json=as_json)


def _execute(store: Store, opened: Opened, config: RunConfig, *, settings: Settings, as_json: bool) -> None:
    from karl.judges import open_judge
    from karl.runs import execute
    from karl.summary import run_summary
    from karl.tables import print_summary
    from karl.terminal import TerminalReporter

    reporter = TerminalReporter(console(stderr=True))
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
