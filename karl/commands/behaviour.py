"""`karl behaviour RUN`: how the policies of a run searched, by arm of its evaluation."""

from __future__ import annotations

from typing import Any

import click

from karl.commands.common import console, open_store, print_json, settings_of

PARTS = ("all", "some", "none")
LENGTHS = ("turns", "searches", "distinct_queries", "unique_documents", "compressions")


@click.command()
@click.argument("run")
@click.option(
    "--arm", "arms", multiple=True, help="Only this arm, such as base or oapl-2. Repeatable; the first is compared to."
)
@click.option(
    "--context-tokens", type=click.IntRange(min=1), help="Window of the policy; default: what its folder says."
)
@click.option("--steps", type=click.IntRange(min=1), help="Step budget; default: the graph's.")
@click.option(
    "--examples", type=click.IntRange(min=0), default=3, show_default=True, help="Rollouts named a class, in the JSON."
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def behaviour(
    context: click.Context,
    run: str,
    arms: tuple[str, ...],
    context_tokens: int | None,
    steps: int | None,
    examples: int,
    as_json: bool,
) -> None:
    """Classify the evaluation rollouts of RUN: six classes of search behaviour, lengths, recall of the evidence."""
    from karl.behaviour import run_behaviour

    settings = settings_of(context)
    with open_store(settings) as store:
        found = run_behaviour(
            store,
            run,
            settings=settings,
            arms=arms,
            context_tokens=context_tokens,
            steps=steps,
            examples=examples,
        )
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    page = console()
    page.print(_title(found), markup=False, soft_wrap=True)
    table = Table("", *found["arms"], box=None, pad_edge=False)
    for label, cells in _rows(found["arms"]):
        table.add_row(label, *cells)
    page.print(table)
    for pair, moved in found["transitions"].items():
        moves = ", ".join(f"{count} {name}" for name, count in moved["moves"].items())
        page.print(f"{pair}: {moved['questions']} questions, by pass rate {moves}", markup=False, soft_wrap=True)
        for before, row in moved["matrix"].items():
            after = ", ".join(f"{count} {state}" for state, count in row.items())
            page.print(f"  {before} before, then {after}", markup=False, soft_wrap=True)
    for note in found["notes"]:
        page.print(f"note: {note}", markup=False, soft_wrap=True)


def _title(found: dict[str, Any]) -> str:
    tokens, steps = (value or "unknown" for value in found["limits"].values())
    return f"{found['run']}: share of rollouts (solved among them); context of {tokens} tokens, {steps} steps"


def _rows(arms: dict[str, Any]) -> list[tuple[str, list[str]]]:
    every = list(arms.values())
    rows = [
        ("rollouts", [str(arm["rollouts"]) for arm in every]),
        ("pass@1", [_number(arm["pass@1"]) for arm in every]),
    ]
    rows += [
        (kind.replace("_", " "), [_class(arm["classes"][kind]) if arm["rollouts"] else "" for arm in every])
        for kind in every[0]["classes"]
    ]
    rows += [(f"{name.replace('_', ' ')}, p50 and p90", [_spread(arm[name]) for arm in every]) for name in LENGTHS]
    return rows + (_recall_rows([arm["recall"] for arm in every]) if any(arm["recall"] for arm in every) else [])


def _recall_rows(recalls: list[dict[str, Any] | None]) -> list[tuple[str, list[str]]]:
    """None: an arm without a question whose gold chunks are known."""
    after = [recall["searches_after_full_recall"] if recall else None for recall in recalls]
    return [
        ("recall of gold chunks", [_number(recall["recall"] if recall else None) for recall in recalls]),
        ("searches after full recall, p50 and p90", [_spread(found) for found in after]),
        *((f"solved, {part} of the gold retrieved", [_solved(one, part) for one in recalls]) for part in PARTS),
    ]


def _class(share: dict[str, Any]) -> str:
    return f"{share['share']:.1%}" + ("" if share["solved"] is None else f" ({share['solved']:.2f})")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _spread(found: dict[str, float] | None) -> str:
    return "" if found is None else f"{found['p50']:g} {found['p90']:g}"


def _solved(recall: dict[str, Any] | None, part: str) -> str:
    accuracy = recall["accuracy"][part] if recall else None
    if not accuracy or not accuracy["solved"]:
        return ""
    return f"{accuracy['solved']['mean']:.3f} of {accuracy['rollouts']}"
