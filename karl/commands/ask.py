"""`karl ask NAME "question"`: the newest checkpoint searches, answers and cites."""

from __future__ import annotations

from pathlib import Path

import click

from karl.commands.common import console, open_searcher, open_store, print_json, settings_of


@click.command()
@click.argument("corpus")
@click.argument("question")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint folder; default: the newest trained.")
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(min=0.0))
@click.option("--seed", default=0, show_default=True)
@click.option("--trace", is_flag=True, help="Show every search on the way.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def ask(
    context: click.Context,
    corpus: str,
    question: str,
    checkpoint: Path | None,
    temperature: float,
    seed: int,
    trace: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from CORPUS; citations name the chunks that the answer rests on."""
    import asyncio

    from karl.asking import answer_question

    settings = settings_of(context)
    with open_store(settings) as store:
        searcher = open_searcher(store, corpus, settings=settings)
        reply = asyncio.run(
            answer_question(
                store,
                corpus,
                question,
                searcher=searcher,
                settings=settings,
                checkpoint=checkpoint,
                temperature=temperature,
                seed=seed,
                say=lambda text: click.echo(text, err=True),
            )
        )
    if as_json:
        print_json(reply.as_dict())
    else:
        for line in reply.lines(trace=trace):
            click.echo(line)
    if reply.record.failure is not None:
        console(stderr=True).print(f"no answer: {reply.record.failure.reason}", markup=False, soft_wrap=True)
        raise click.exceptions.Exit(1)
