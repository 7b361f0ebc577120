"""`karl graph list | show | copy | validate | diff | hash | schema`: the graphs in effect, drawn, checked, compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from karl.commands.common import print_json, settings_of
from karl.commands.findings import report
from karl.commands.listing import list_entries, print_table

if TYPE_CHECKING:
    from graphs.schema import GraphSpec

REFERENCE = "A graph is named by its NAME, NAME@built-in, or a file."
variant_option = click.option("--variant", default="", help="As another policy gets it, e.g. tiny.")
task_option = click.option("--task", "tasks", multiple=True, help="With the overrides for a task. Repeatable.")
json_option = click.option("--json", "as_json", is_flag=True)


@click.group()
def graph() -> None:
    """What agents do. Your graph files shadow the built-in ones by name, and can extend them."""


@graph.command("list")
@json_option
@click.pass_context
def list_graphs(context: click.Context, as_json: bool) -> None:
    """List the graphs in effect: where each comes from and what it is made of."""
    from graphs.plugins.external import plugin_clashes
    from karl.catalog import find_graph, graph_entries, misnamed

    settings = settings_of(context)
    rows = list_entries(graph_entries(settings), lambda entry: _summary(find_graph(entry.name, settings=settings)))
    if as_json:
        print_json(rows)
        return
    for file, message in [*misnamed(settings.graph_path, ".yaml"), *plugin_clashes()]:
        click.echo(f"karl: {file}: {message}", err=True)
    print_table({"graph": "name", "from": "origin", "nodes": "nodes", "sha256": "sha256", "": "description"}, rows)


@graph.command(epilog=REFERENCE)
@click.argument("name")
@click.option("--mermaid", is_flag=True, help="As a Mermaid flowchart.")
@click.option("--ascii", "in_text", is_flag=True, help="Drawn in the terminal.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file.")
@variant_option
@task_option
@json_option
@click.pass_context
def show(
    context: click.Context,
    name: str,
    mermaid: bool,
    in_text: bool,
    png: Path | None,
    variant: str,
    tasks: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the graph NAME as it takes effect (what it extends and its overrides laid together), or draw it."""
    if mermaid + in_text + as_json > 1:
        raise click.UsageError("--mermaid, --ascii and --json are different outputs; give one of them")
    from karl.catalog import find_graph
    from karl.effective import as_data, as_yaml

    spec = find_graph(name, settings=settings_of(context), variant=variant, tasks=tasks)
    if png is not None:
        _draw_png(spec, png)
    if as_json:
        print_json(_summary(spec) | {"graph": as_data(spec)})
    elif mermaid or in_text:
        click.echo(_drawn(spec, as_mermaid=mermaid))
    elif png is None:
        click.echo(as_yaml(spec), nl=False)


@graph.command()
@click.argument("name")
@click.pass_context
def copy(context: click.Context, name: str) -> None:
    """Copy the built-in graph NAME as a whole into your graph folder, to be edited there. An existing file stays."""
    from karl.project.copying import copy_graph

    click.echo(copy_graph(name, settings=settings_of(context)))


@graph.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@json_option
@click.pass_context
def validate(context: click.Context, paths: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Check graph files (default: all in effect) with each of their overrides, their prompts and their functions.

    Exit code 1 when something is wrong.
    """
    from graphs.plugins.external import plugin_clashes
    from karl.catalog import files_under, graph_entries, misnamed
    from karl.validation import Finding, validate_graph

    settings = settings_of(context)
    files = list(files_under(paths, ".yaml")) if paths else [entry.path for entry in graph_entries(settings)]
    findings = [finding for file in files for finding in validate_graph(file, settings=settings)]
    ignored = [*misnamed(paths or settings.graph_path, ".yaml"), *plugin_clashes()]
    findings += [Finding(file, 1, 1, "warning", "", message) for file, message in ignored]
    report(findings, looked_at=f"{len(files)} graphs", strict=strict, as_json=as_json)


@graph.command(epilog=REFERENCE)
@click.argument("first")
@click.argument("second", required=False)
@variant_option
@task_option
@click.pass_context
def diff(context: click.Context, first: str, second: str | None, variant: str, tasks: tuple[str, ...]) -> None:
    """Show how the graph SECOND differs from FIRST as they take effect; with one name, it from the built-in one.

    Overrides that make another difference are named at the end. Exit code 1 if they differ, as of diff(1).
    """
    from karl.catalog import find_by_occasion, find_graphs, pair
    from karl.effective import changed_lines

    settings = settings_of(context)
    names = pair(first, second)
    told = _differences(find_graphs(names, settings=settings, variant=variant, tasks=tasks), names)
    others = {} if variant or tasks else find_by_occasion(names, settings=settings)
    found = {name: _differences(specs, names) for name, specs in others.items()}
    differing = [name for name, other in found.items() if changed_lines(other) != changed_lines(told)]
    if told:
        click.echo(told)
    if differing:
        click.echo(f"# differs otherwise for: {', '.join(differing)}; --task NAME or --variant NAME shows how")
    if told or differing:
        raise click.exceptions.Exit(1)


@graph.command("hash", epilog=REFERENCE)
@click.argument("name")
@variant_option
@task_option
@json_option
@click.pass_context
def print_hash(context: click.Context, name: str, variant: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Print the SHA-256 of the graph NAME as it takes effect, and those that its overrides make of it.

    A rollout carries the one for its tasks and its policy: for the shipped policy, --variant tiny.
    """
    from karl.catalog import find_by_occasion, find_graph

    settings = settings_of(context)
    spec = find_graph(name, settings=settings, variant=variant, tasks=tasks)
    others = {} if variant or tasks else find_by_occasion([name], settings=settings)
    hashes = {occasion: found.sha256 for occasion, (found,) in others.items()}
    if as_json:
        told = {"name": spec.name, "variant": variant, "tasks": list(tasks), "sha256": spec.sha256}
        print_json(told | ({"overrides": hashes} if hashes else {}))
        return
    for occasion, sha256 in {"": spec.sha256, **hashes}.items():
        click.echo(f"{sha256}  {spec.name}{f' for {occasion}' if occasion else ''}")


@graph.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there.")
def schema(output: Path | None) -> None:
    """Print the JSON Schema of graph files, by which editors complete and check them."""
    from karl.project import schema_text, write_file

    if output is None:
        click.echo(schema_text(), nl=False)
        return
    write_file(output, schema_text())


def _summary(spec: GraphSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "description": spec.description,
        "role": spec.role,
        "nodes": {name: node.kind for name, node in spec.nodes.items()},
        "plugins": [plugin.kind for plugin in spec.plugins],
        "sha256": spec.sha256,
    }


def _differences(specs: list[GraphSpec], names: tuple[str, str]) -> str:
    from karl.effective import as_yaml, difference

    return difference(*map(as_yaml, specs), names=names)


def _drawn(spec: GraphSpec, *, as_mermaid: bool) -> str:
    from graphs.diagram import draw_text, mermaid

    return mermaid(spec) if as_mermaid else draw_text(spec, ascii_only=not _shows_boxes())


def _draw_png(spec: GraphSpec, path: Path) -> None:
    from graphs.diagram import write_png

    write_png(spec, path)
    click.echo(f"{path}: written", err=True)


def _shows_boxes() -> bool:
    """Can standard output show box characters?"""
    import sys

    try:
        "│◀●".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
