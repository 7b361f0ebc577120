"""`karl leaderboard`: submissions made, checked, collected in a folder, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from karl.commands.common import print_json, settings_of

OPEN = click.Choice(["open", "closed"])


@click.group()
def leaderboard() -> None:
    """Rank evaluations of several people: a folder of files, checked by recomputation."""


@leaderboard.command()
@click.argument("evaluation")
@click.option("--measured", help="The system of the evaluation; needed where it holds several.")
@click.option("--system", help="Its name on the board; default: as in the evaluation.")
@click.option("--organisation", required=True)
@click.option("--link", "links", multiple=True, metavar="NAME=URL", help="Paper, code, weights; repeatable.")
@click.option("--weights", type=OPEN, required=True)
@click.option("--code", type=OPEN, required=True)
@click.option("--note", default="", help="A sentence that stands below the table.")
@click.option(
    "--hold",
    type=click.Choice(["all", "labels", "figures"]),
    default="all",
    show_default=True,
    help="labels: no text of questions and answers; figures: no questions.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@click.pass_context
def make(context: click.Context, evaluation: str, out: Path, **given: Any) -> None:
    """Write a submission from EVALUATION: a file of `karl eval --json`, or the name or hash of one in the store."""
    from evals.leaderboard.submission import submission_of
    from evals.report.kept import open_document
    from store.errors import UsageError
    from store.jsonfile import write_json

    document = open_document(evaluation, settings_of(context).home / "evaluations", say=_say)
    out = out.expanduser()
    made = submission_of(_values(document, **given), out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, made.model_dump(mode="json"))
    except OSError as exc:
        raise UsageError(f"{out}: cannot write the submission: {exc.strerror}; give a file in another folder") from exc
    click.echo(f"{out}: {out.stat().st_size / 1000:,.0f} kB; `karl leaderboard check {out}` checks it", err=True)


def _values(
    document: Any, *, measured: str | None, system: str | None, links: tuple[str, ...], hold: str, **given: Any
):
    from evals.leaderboard.submission import VERSION, Held
    from evals.leaderboard.trim import trimmed

    names = [one.entry.name for one in document.systems]
    if measured is None and len(names) > 1:
        raise click.UsageError(f"--measured: which system? the evaluation holds {', '.join(names)}")
    chosen = measured or names[0]
    return {
        "version": VERSION,
        "system": system or chosen,
        "measured": chosen,
        "links": [_link(one) for one in links],
        "held": hold,
        **given,
        "evaluation": trimmed(document, Held(hold)).model_dump(mode="json"),
    }


def _link(given: str) -> dict[str, str]:
    name, _, url = given.partition("=")
    if not url:
        raise click.UsageError(f"--link {given!r}: write NAME=https://...")
    return {"name": name, "url": url}


@leaderboard.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check submissions: format, identity, whole task sets, figures against generations, duplicates."""
    from evals.leaderboard.folder import check_files

    for entry in check_files(files):
        click.echo(f"{entry.path}: {entry.name}, figures {entry.verified}: may be added")


@leaderboard.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def add(folder: Path, file: Path) -> None:
    """Check FILE and put it into the leaderboard DIR, with its evaluation in it."""
    from evals.leaderboard.folder import add as add_to

    click.echo(f"{add_to(folder, file)}: added; `karl leaderboard show {folder}` ranks it")


@leaderboard.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--markdown", "form", flag_value="markdown", default="markdown", help="The default.")
@click.option("--json", "form", flag_value="json")
def show(folder: Path, form: str) -> None:
    """Rank the submissions in DIR; a table for each set of tasks and judge."""
    from evals.leaderboard.folder import read_folder
    from evals.leaderboard.ranking import boards
    from evals.leaderboard.show import as_json, blocks
    from evals.report.markdown import render

    found = boards(read_folder(folder))
    if form == "json":
        print_json(as_json(found))
    else:
        click.echo(render(blocks(found, name="Leaderboard")), nl=False)


def _say(message: str) -> None:
    click.echo(message, err=True)
