"""`karl eval SYSTEM...`: measure systems on tasks; the same command goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from karl.commands.common import console, open_store, print_json, settings_of
from karl.commands.run import overrides


@click.command("eval")
@click.argument("systems", nargs=-1, required=True, metavar="SYSTEM...")
@click.option("--suite", help="fogbench, karlbench, or tasks with commas between them.")
@click.option("--questions", type=click.Path(path_type=Path), help="Your own questions: JSONL with question, answer.")
@click.option("--corpus", help="Corpus of the questions, or of the suite's only task; default: the task's name.")
@click.option("--data", type=click.Path(path_type=Path), help="Data of the tasks: a folder for each, by its name.")
@click.option("--split", help="Of the suite's only task; default: the one that is evaluated.")
@click.option("--samples", type=click.IntRange(min=1), default=4, show_default=True, help="Generations a question.")
@click.option("--temperature", type=click.FloatRange(min=0.0), help="Default: the graph's own, or the endpoint's.")
@click.option("--limit", type=click.IntRange(min=1), help="Questions a task, at most, drawn evenly over its splits.")
@click.option("--graph", help="A graph's name or YAML file; default: the one that evaluates in a run.")
@click.option("--name", help="Of the run that holds the rollouts; default: from the evaluation's hash.")
@click.option("--judge", help="rule, or http(s)://.../v1#MODEL; default: the settings' judge.")
@click.option("--rejudge", is_flag=True, help="Judge the stored answers; run no rollout.")
@click.option("--threshold", type=click.FloatRange(min=0.0, max=1.0, min_open=True), default=0.6, show_default=True)
@click.option("--prices", type=click.Path(path_type=Path), help="TOML of prices by model; default: prices.toml here.")
@click.option("--fog", "fog", multiple=True, callback=overrides, help="A knob of FogBench, key=value.")
@click.option("--seed", default=0, show_default=True)
@click.option("--concurrency", type=click.IntRange(min=1), help="Generations under way at once.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0, min_open=True),
    help="Seconds for an answer of an endpoint or a function; later, it counts as failed. Default: none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the document.")
@click.pass_context
def evaluate(context: click.Context, systems: tuple[str, ...], judge: str | None, as_json: bool, **given: Any) -> None:
    """Measure each SYSTEM on the same questions, and compare each with the others.

    A SYSTEM is a checkpoint's name in the store, a run's name (its first and its newest checkpoint), a policy folder,
    `embedded`, an endpoint http(s)://.../v1#model, or a Python function module:function of a question.
    """
    from karl.evaluations.config import make_eval_config
    from karl.evaluations.evaluate import carry_out, prepare, with_judge
    from karl.evaluations.making import document_file
    from karl.evaluations.tables import print_document
    from karl.terminal import TerminalReporter

    config = make_eval_config(**given)
    settings = with_judge(settings_of(context), judge)
    reporter = TerminalReporter(console(stderr=True))
    with open_store(settings) as store:
        evaluation = prepare(systems, config, store, settings=settings, reporter=reporter)
        reporter.say(f"evaluation {evaluation.sha256[:16]}, run {evaluation.run.name}")
        document = carry_out(evaluation, reporter=reporter)
    if document is None:
        reporter.say("stopped; everything finished is stored, and the same command goes on from here")
        raise click.exceptions.Exit(130)
    if as_json:
        print_json(document.model_dump(mode="json"))
    else:
        print_document(document, console(), file=document_file(settings.home, document.sha256))
