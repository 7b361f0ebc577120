"""`karl ask NAME "question"`: the newest checkpoint searches, answers and cites."""

from __future__ import annotations

from pathlib import Path

import click

from karl.commands.common import console, print_json, settings_of


@click.command()
@click.argument("corpus")
@click.argument("question")
@click.option("--graph", default="solver", show_default=True, help="A graph's name, or a YAML file.")
@click.option("--task", "tasks", multiple=True, help="The graph's overrides for a task. Repeatable, the last wins.")
@click.option("-n", "--attempts", type=click.IntRange(min=1), help="Attempts of a graph that makes several.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint folder; default: the newest trained.")
@click.option("--value", type=click.Path(path_type=Path), help="A value model's folder, to guide a search by.")
@click.option("--temperature", type=click.FloatRange(min=0.0), help="Default: 0; the graph's own for several attempts.")
@click.option("--seed", default=0, show_default=True)
@click.option("--trace", is_flag=True, help="Show every search on the way; a terminal always does.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def ask(
    context: click.Context,
    corpus: str,
    question: str,
    graph: str,
    tasks: tuple[str, ...],
    attempts: int | None,
    checkpoint: Path | None,
    value: Path | None,
    temperature: float | None,
    seed: int,
    trace: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from CORPUS; citations name the chunks that the answer rests on."""
    import asyncio

    from karl import load_graph
    from karl.api.results import Answer
    from karl.asking import answer_json, answer_lines
    from karl.asking import ask as ask_graph

    terminal = console(stderr=True)
    live = terminal.is_terminal and not as_json
    loaded = load_graph(
        graph,
        corpus=corpus,
        policy=checkpoint,
        settings=settings_of(context),
        tasks=tasks,
        attempts=attempts,
        value=value,
        temperature=temperature,
        seed=seed,
        say=lambda text: click.echo(text, err=True),
    )

    async def answered() -> Answer:
        async with loaded:
            return await ask_graph(loaded, question, show=show if live else None)

    def show(line: str) -> None:
        terminal.print(line, style="dim", markup=False, soft_wrap=True)

    answer = asyncio.run(answered())
    if as_json:
        print_json(answer_json(answer, checkpoint=loaded.checkpoint))
    else:
        # What the terminal has shown already need not stand there twice.
        for line in answer_lines(answer, checkpoint=loaded.checkpoint, trace=trace and not live):
            click.echo(line)
    if answer.failure is not None:
        console(stderr=True).print(f"no answer: {answer.failure.reason}", markup=False, soft_wrap=True)
        raise click.exceptions.Exit(1)
