"""`karl value train`: from graded rollouts to the value model that guides a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from karl.commands.common import console, open_store, print_json, settings_of
from karl.commands.run import overrides

if TYPE_CHECKING:
    from rl_backend.value.train import ValueResult


@click.group()
def value() -> None:
    """A value model says how likely a rollout is to end correct; `karl ask --value FOLDER` searches by it."""


@value.command()
@click.option("--dataset", help="A frozen dataset: `karl train --list` names them.")
@click.option("--run", "run_name", help="Instead: all graded rollouts of a run, solved by all or by none too.")
@click.option("--iteration", default=1, show_default=True, type=click.IntRange(min=1), help="Of that run.")
@click.option("--base", type=click.Path(path_type=Path), required=True, help="Folder of a policy's checkpoint.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the value model to be.")
@click.option("--recipe", default="tiny", show_default=True, help="Value recipe: a name or a TOML file.")
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="A recipe's setting, key=value.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON at the end.")
@click.pass_context
def train(
    context: click.Context,
    dataset: str | None,
    run_name: str | None,
    iteration: int,
    base: Path,
    out: Path,
    recipe: str,
    settings_set: dict[str, Any],
    as_json: bool,
) -> None:
    """Train a value model from the weights of a policy; the same command goes on where it was stopped."""
    from karl.terminal import TerminalReporter
    from karl.value_training import ValueJob, graded_dataset, train_value_model
    from rl_backend.value.config import load_value_recipe
    from store import queries

    if (dataset is None) == (run_name is None):
        raise click.UsageError("give one of --dataset and --run")
    config = load_value_recipe(recipe, **settings_set)
    with open_store(settings_of(context)) as store:
        if run_name is not None:
            row = graded_dataset(store, run_name, iteration=iteration)
        else:
            with store.session() as session:
                row = queries.dataset_by_name(session, dataset or "")
        job = ValueJob(row, base.expanduser(), out.expanduser().absolute(), config)
        result = train_value_model(store, job, reporter=TerminalReporter(console(stderr=True)))
    if result.record is None:
        click.echo("stopped; its state is saved, and the same command goes on from here", err=True)
        raise click.exceptions.Exit(130)
    if as_json:
        print_json({**_figures(result), "validation": result.record.validation})
    else:
        for line in _lines(result):
            click.echo(line)


def _figures(result: ValueResult) -> dict[str, Any]:
    assert result.record is not None
    return {
        "out": result.out,
        "name": result.record.label,
        "dataset": result.record.dataset,
        "questions": result.questions,
        "rollouts": result.rollouts,
        "dropped_segments": result.dropped_segments,
        "steps": result.steps,
        "best_step": result.best_step,
        "validation_losses": list(result.losses),
        "seconds": result.seconds,
    }


def _lines(result: ValueResult) -> list[str]:
    assert result.record is not None
    found = result.record.validation
    named = {"model": "value model", "likelihood": "policy's likelihood", "base rate": "base rate"}
    return [
        f"{result.record.label}: {result.questions} questions, {result.rollouts} rollouts of "
        f"{result.record.dataset}, {result.steps} steps in {result.seconds:.0f} s, best after step {result.best_step}",
        f"on the {found['questions']} questions set aside, which chose the epoch, at {found['turns']} ends of turns, "
        "each question calibrated on the others:",
        *(f"  {label}: {_summary(found[key])}" for key, label in named.items()),
        f"written to {result.out}",
    ]


def _summary(figures: dict[str, float | None]) -> str:
    names = {"cross_entropy": "cross-entropy", "ece": "calibration error", "auc": "AUC"}
    shown = [f"{label} {figures[key]:.3f}" for key, label in names.items() if figures.get(key) is not None]
    return ", ".join(shown)
