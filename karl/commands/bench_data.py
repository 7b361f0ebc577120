"""`karl bench-data`: the data of KARLBench's tasks: where it is, fetching it, checking it, writing its corpora."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from karl.commands.common import console, print_json

if TYPE_CHECKING:
    from evals.corpora.write import TaskCorpus
    from evals.tasks.load import LoadedTask
    from evals.tasks.spec import TaskSpec

SHOWN = 5  # of those left out; --json has all
_FROM = click.option(
    "--from", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the task's data."
)
_SPLIT = click.option("--split", help="A split's name, or all; default: the one that is evaluated.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group("bench-data")
def bench_data() -> None:
    """Data of KARLBench: list the tasks, fetch what is public, check it, write the corpora to ingest."""


@bench_data.command("list")
@_JSON
def list_tasks(as_json: bool) -> None:
    """The tasks, and where the data of each comes from."""
    from evals.tasks import TASKS

    specs = [task.spec for task in TASKS.values()]
    if as_json:
        print_json([spec.model_dump(mode="json") for spec in specs])
        return
    for spec in specs:
        click.echo("\n".join(_described(spec)))


def _described(spec: TaskSpec) -> list[str]:
    expected = spec.expected
    return [
        f"{spec.name}: {spec.title}, {spec.regime}",
        f"  {expected.questions:,} questions, {expected.chunks:,} chunks ({spec.chunking}), k {spec.k}, "
        f"{spec.steps} steps, {expected.nuggets:g} nuggets a question",
        f"  licence: {spec.licence}",
        *(f"  fetched: {source.url}" for source in spec.hub),
        *(f"  by hand: {source.where}: {', '.join(source.files)}" for source in spec.by_hand),
    ]


@bench_data.command()
@click.argument("task")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="Folder for the task's data.")
@click.option("--endpoint", help="Another hub; default: HF_ENDPOINT, or huggingface.co.")
@_JSON
def fetch(task: str, folder: Path, endpoint: str | None, as_json: bool) -> None:
    """Download TASK's public files; running it again fetches only what is missing, and each file is checked."""
    from evals.loaders.fetch import by_hand_lines, fetch_task
    from evals.loaders.hub import Hub
    from evals.tasks import task as find_task

    spec = find_task(task).spec
    out = console(stderr=True)
    folder = folder.expanduser()
    fetched = fetch_task(
        spec,
        folder,
        hub=Hub(endpoint),
        progress=lambda name, done, total: out.print(f"{done}/{total} {name}", markup=False),
    )
    by_hand = by_hand_lines(spec, folder)
    if as_json:
        print_json({"task": spec.name, "new": fetched.new, "kept": fetched.kept, "by_hand": by_hand})
        return
    click.echo(f"{spec.name}: {len(fetched.new)} files fetched and checked, {len(fetched.kept)} were there")
    if by_hand:
        click.echo("\n".join(["still to be had by hand:", *by_hand]))


@bench_data.command()
@click.argument("task")
@_FROM
@_SPLIT
@click.option("--canary", help="Of BrowseComp-Plus: the string, or a file with it; default: canary.txt in the folder.")
@_JSON
def check(task: str, folder: Path, split: str | None, canary: str | None, as_json: bool) -> None:
    """Load TASK's questions and say what differs from the published counts."""
    from evals.tasks.load import load_task

    loaded = load_task(task, folder, split=split, canary=canary)
    if as_json:
        print_json(_loaded(loaded))
        return
    state = "the full set" if loaded.complete else "a part of the set"
    click.echo(f"{loaded.spec.name}, split {loaded.split}: {len(loaded.items):,} questions, {state}")
    for shortfall in loaded.shortfalls:
        click.echo(f"  {shortfall}")
    for what, number in sorted(loaded.notes.items()):
        click.echo(f"  {what}: {number:,}")
    _echo_left_out(loaded.left_out)


def _loaded(loaded: LoadedTask) -> dict[str, Any]:
    return {
        "task": loaded.spec.name,
        "split": loaded.split,
        "questions": len(loaded.items),
        "complete": loaded.complete,
        "shortfalls": [shortfall._asdict() for shortfall in loaded.shortfalls],
        "notes": loaded.notes,
        "left_out": [entry._asdict() for entry in loaded.left_out],
    }


def _echo_left_out(left_out: tuple[Any, ...]) -> None:
    for entry in left_out[:SHOWN]:
        click.echo(f"  left out {entry.key}: {entry.reason}")
    if len(left_out) > SHOWN:
        click.echo(f"  and {len(left_out) - SHOWN:,} more left out (--json lists them)")


@bench_data.command()
@click.argument("task")
@_FROM
@click.option("--to", "out", required=True, type=click.Path(path_type=Path), help="Folder for the written corpus.")
@_SPLIT
@click.option("--tokenizer", type=click.Path(path_type=Path), help="tokenizer.json, or its folder, to cut by tokens.")
@_JSON
def corpus(task: str, folder: Path, out: Path, split: str | None, tokenizer: Path | None, as_json: bool) -> None:
    """Write TASK's corpus in its published chunks, and say how to ingest it."""
    from evals.corpora.write import write_corpus
    from store.chunking.tokens import TokenizerFile

    tokens = TokenizerFile(tokenizer) if tokenizer else None
    shown = console(stderr=True)
    written = write_corpus(
        task, folder, out, split=split, tokens=tokens, progress=lambda chunks: shown.print(f"{chunks:,} chunks")
    )
    if as_json:
        print_json(_written(written))
        return
    click.echo(f"{written.path}: {written.documents:,} documents, {written.chunks:,} chunks")
    if not written.exact:
        click.echo(f"  cut by an estimate of tokens; --tokenizer with that of {written.spec.embedder} cuts exactly")
    for shortfall in written.shortfalls:
        click.echo(f"  {shortfall}")
    _echo_left_out(written.left_out)
    click.echo(f"now run: {written.command}")


def _written(written: TaskCorpus) -> dict[str, Any]:
    return {
        "task": written.spec.name,
        "path": str(written.path),
        "documents": written.documents,
        "chunks": written.chunks,
        "exact": written.exact,
        "shortfalls": [shortfall._asdict() for shortfall in written.shortfalls],
        "left_out": [entry._asdict() for entry in written.left_out],
        "command": written.command,
    }
