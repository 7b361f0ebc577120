"""`karl fogbench make`: generated companies with questions whose answers are proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from karl.commands.run import overrides

if TYPE_CHECKING:
    from evals.fog.make import Fog


@click.group()
def fogbench() -> None:
    """Generated companies that exercise KARLBench's six regimes, with exact answers, offline."""


@fogbench.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to be; documents/ and items.jsonl.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="A knob, key=value: size=2000, hops=3.")
def make(out: Path, seed: int, settings_set: dict[str, Any]) -> None:
    """Write documents and questions to OUT. The same seed and knobs write the same bytes."""
    from evals.fog.make import make_fog
    from evals.fog.settings import fog_settings
    from evals.fog.writing import write_documents, write_items, write_settings

    given = {"seed": seed, **settings_set}
    if isinstance(given.get("regimes"), str):
        given["regimes"] = given["regimes"].split(",")
    settings = fog_settings(given)
    vocabulary = None
    if settings.vocabulary == "small":
        from karl.tiny.fog import small_vocabulary

        vocabulary = small_vocabulary()
    fog = make_fog(settings, vocabulary)
    write_documents(fog, out / "documents")
    write_items(fog, out / "items.jsonl")
    write_settings(fog, out / "settings.json")
    for line in _lines(fog, out):
        click.echo(line)


def _lines(fog: Fog, out: Path) -> list[str]:
    """Counts by regime, where the files are, what to do next."""
    asked = fog.settings.questions
    lines = [f"{'documents':<20}{len(fog.documents):>6}  {out / 'documents'}"]
    lines += [f"{'questions':<20}{len(fog.items):>6}  {out / 'items.jsonl'}"]
    for regime, count in fog.counts.items():
        short = f"  of {asked}: the documents allow no more; raise size" if count < asked else ""
        lines.append(f"  {regime:<18}{count:>6}{short}")
    # With the embedded policy's words names are all that notes differ in: BM25 alone finds them.
    embedder = " --embedder none" if fog.settings.vocabulary == "small" else ""
    lines.append(f"next: karl ingest {out / 'documents'} --name fog{embedder}")
    if fog.items:
        lines.append(f"then: karl search fog '{_quoted(fog.items[0].question)}'")
    return lines


def _quoted(text: str) -> str:
    """For a shell's single quotes."""
    return text.replace("'", "'\\''")
