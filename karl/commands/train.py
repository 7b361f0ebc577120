"""`karl train DATASET --out NAME`: one training on a frozen dataset, in one process or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from karl.commands.common import console, open_store, print_json, settings_of
from karl.commands.run import overrides

if TYPE_CHECKING:
    from rich.console import Console

    from karl.settings import Settings
    from rl_backend.launch import Launch

LAUNCHERS = ["in-process", "torchrun", "ray"]


@click.command()
@click.argument("dataset", required=False)
@click.option("--base", help="A checkpoint's name or folder; default: the policy that sampled the dataset.")
@click.option("--out", help="Name of the checkpoint, or the path of its folder.")
@click.option("--recipe", default="tiny", show_default=True, help="Training recipe: a name or a TOML file.")
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="A recipe's setting, key=value.")
@click.option("--launch", "launcher", type=click.Choice(LAUNCHERS), default="in-process", show_default=True)
@click.option("--ranks", default=1, show_default=True, type=click.IntRange(min=1), help="Processes, one for each GPU.")
@click.option(
    "--nodes", default=1, show_default=True, type=click.IntRange(min=1), help="Ray: machines that share them."
)
@click.option("--ray-address", help="Ray: of a running cluster; default: Ray is started here.")
@click.option(
    "--validate",
    type=click.IntRange(min=1),
    metavar="N",
    help="Hold N questions of DATASET out: every epoch's weights answer them, and the best become the checkpoint.",
)
@click.option("--validate-samples", type=click.IntRange(min=1), metavar="K", help="Rollouts of each. [default: 4]")
@click.option("--list", "listed", is_flag=True, help="Datasets and checkpoints, and which came from which.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON at the end.")
@click.pass_context
def train(
    context: click.Context, dataset: str | None, out: str | None, listed: bool, as_json: bool, **given: Any
) -> None:
    """Train on DATASET, a frozen dataset of the store; the same command goes on with a training that was stopped."""
    settings = settings_of(context)
    if listed:
        _list(settings, as_json=as_json)
        return
    if dataset is None or out is None:
        raise click.UsageError("give DATASET and --out; `karl train --list` shows the datasets that there are")
    launch = _launch(**{name: given.pop(name) for name in ("launcher", "ranks", "nodes", "ray_address")})
    summary = _train(settings, dataset=dataset, out=out, launch=launch, **given)
    if summary is None:
        return
    if as_json:
        print_json(summary)
    else:
        _print(summary, console())


def _launch(**given: Any) -> Launch:
    from rl_backend.launch import Launch

    return Launch(**given)


def _train(settings: Settings, *, settings_set: dict[str, Any], **given: Any) -> dict[str, Any] | None:
    """Raises: Exit with 130 when Ctrl-C stopped the training."""
    from karl.terminal import TerminalReporter
    from karl.train_dataset import follows, train_dataset
    from karl.train_plan import make_plan

    reporter = TerminalReporter(console(stderr=True))
    with open_store(settings) as store:
        plan = make_plan(store, settings, overrides=settings_set, **given)
        summary = train_dataset(store, plan, settings=settings, reporter=reporter)
    if summary is None and not follows():
        reporter.say("stopped; its state is saved, and the same command goes on from here")
        raise click.exceptions.Exit(130)
    return summary


def _print(summary: dict[str, Any], page: Console) -> None:
    tokens = sum(summary["tokens_by_kind"].values())
    shares = ", ".join(
        f"{kind or 'of no kind'} {count:,} ({count / tokens:.0%})" for kind, count in summary["tokens_by_kind"].items()
    )
    lines = [
        f"{summary['checkpoint']}: {summary['algorithm']} on {summary['dataset']} from {summary['base']}, "
        f"policy version {summary['policy_version']}",
        f"{summary['steps']} steps, {summary['tokens']:,} tokens in {summary['seconds']:.0f} s "
        f"({summary['tokens_per_second']:,.0f} tokens/s), {summary['setup_seconds']:.0f} s besides",
        f"training tokens of an epoch by task: {shares}",
        f"dropped: {summary['dropped_segments']} segments for their length, and with them "
        f"{summary['dropped_rollouts']} whole rollouts",
        _drift(summary["drift"]),
        *_validation(summary["validation"]),
        "last steps: " + ", ".join(f"{name} {value:.4g}" for name, value in summary["metrics"].items()),
        f"written to {summary['out']}",
    ]
    for line in lines:
        page.print(line, markup=False, soft_wrap=True)


def _validation(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rewards = ", ".join(f"{reward:.3f} at step {step}" for step, reward in found["rewards"].items())
    return [
        f"reward on {len(found['questions'])} questions that were held out: {rewards}; the weights of step "
        f"{found['best_step']} were kept"
    ]


def _drift(drift: dict[str, float] | None) -> str:
    if drift is None:
        return "drift of the recorded log-probs was not measured"
    return (
        f"engine and trainer log-probs differed by {drift['mean']:.1e} nats in the mean, {drift['max']:.1e} at most, "
        f"over {drift['tokens']:,} tokens"
    )


def _list(settings: Settings, *, as_json: bool) -> None:
    from rich.table import Column, Table

    from karl.lineage import lineage

    with open_store(settings) as store:
        rows = lineage(store)
    if as_json:
        print_json(rows)
        return
    if not rows["datasets"]:
        click.echo("no dataset yet; `karl run` freezes one with every iteration")
        return
    page = console()
    for title, columns in COLUMNS.items():
        names = (Column(column, overflow="fold") for column in columns)  # what is cut can't be given to a command
        table = Table(*names, title=title, title_justify="left", box=None, pad_edge=False)
        for row in rows[title]:
            table.add_row(*(_cell(row[column.replace(" ", "_")]) for column in columns))
        page.print(table)


COLUMNS = {
    "datasets": ("name", "run", "policy version", "groups", "rollouts", "segments", "trained tokens"),
    "checkpoints": ("name", "algorithm", "policy version", "dataset", "parent", "path"),
}


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value or "")
