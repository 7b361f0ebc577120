"""The whole flow: corpus > questions > rollouts > dataset > checkpoint > next iteration.

    hold_out -> [ synthesize -> deduplicate -> solve -> filter -> check_quality -> snapshot -> train -> evaluate ]
                x iterations -> sweep of temperatures

What stands in brackets is the graph `iteration` (graphs/iteration.yaml); `karl.rounds` carries out its stages.
"""

from __future__ import annotations

from pathlib import Path

from agents.policy import load_profile
from karl.context import Context
from karl.evaluation import evaluate, sweep_temperatures
from karl.held_out import hold_out
from karl.rounds import Round, arms
from store import queries
from store.errors import UsageError
from store.models import Checkpoint
from store.types import Algorithm


async def run_loop(context: Context) -> None:
    """Run, or go on with, all iterations and evaluations.

    Raises: Stopped when asked to stop; UsageError for a graph or prompt that is broken before anything has run.
    """
    context.read_graphs()
    base = await base_checkpoint(context)
    async with context.policy(Path(base.path)) as policy:
        await hold_out(context, policy)
        await evaluate(context, policy, arm="base", iteration=0, checkpoint=base)
        await sweep_temperatures(context, policy, arm="base", iteration=0, checkpoint=base)
    newest, control = base, base
    for number in range(1, context.config.iterations + 1):
        refresh_graphs(context, number)
        newest, control = await iterate(context, number, start=newest, control=control)
    # The control is swept as well: part of what SFT gains is sharpening, like part of what OAPL gains.
    for checkpoint in arms(context, newest, control):
        if checkpoint.algorithm is not Algorithm.BASE:
            await _sweep(context, checkpoint)


async def iterate(
    context: Context, number: int, *, start: Checkpoint, control: Checkpoint
) -> tuple[Checkpoint, Checkpoint]:
    """One iteration from the policy `start`; `control` is where the SFT control of the same datasets stands."""
    round_ = Round(context, number, newest=start, control=control)
    await round_.run()
    return round_.newest, round_.control


def refresh_graphs(context: Context, number: int) -> None:
    """Edits of graphs and prompts take effect between iterations; broken ones are told, counted and left aside."""
    try:
        changed = context.library.reload()
    except UsageError as exc:
        with context.store.session() as session:
            queries.add_metrics(
                session, context.run_id, iteration=number, series="", points=[(number, queries.BROKEN_EDIT, 1.0)]
            )
        context.reporter.say(f"iteration {number} goes on with the graphs and prompts read before: {exc}")
        return
    if changed:
        context.reporter.say(
            f"iteration {number} takes up edits of {', '.join(changed)}: figures from here on are of the edited "
            "graphs and prompts, those before are not"
        )


async def _sweep(context: Context, checkpoint: Checkpoint) -> None:
    last = context.config.iterations
    async with context.policy(Path(checkpoint.path)) as policy:
        arm = f"{checkpoint.algorithm}-{last}"
        await sweep_temperatures(context, policy, arm=arm, iteration=last, checkpoint=checkpoint)


async def base_checkpoint(context: Context) -> Checkpoint:
    profile = load_profile(context.config.base)
    with context.store.session() as session:
        return queries.save_checkpoint(
            session,
            Checkpoint(
                run_id=context.run_id,
                name=context.key("base"),
                algorithm=Algorithm.BASE,
                path=str(context.config.base),
                policy_version=profile.policy_version,
            ),
        )
