"""Corpus > candidate questions > distinct questions."""

from __future__ import annotations

from agents.judges import Pair
from agents.policy import Policy
from graphs.decide import deduplicate as run_dedup
from graphs.state import RolloutInputs
from karl import held_out
from karl.collect import Unit
from karl.context import Context, id_of
from karl.seeding import draw_seeds
from karl.verdicts import duplicate_judgement
from store import queries
from store.queries import RolloutLinks
from store.types import Fate, Purpose


async def synthesize(context: Context, number: int, policy: Policy) -> None:
    """Corpus -> candidate questions: each generator rollout starts at chunks drawn for it alone."""
    with context.store.session() as session:
        chunks = [*queries.corpus_chunks(session, id_of(context.corpus))]
    usable = held_out.training_chunks(context, chunks)
    units = [
        Unit(
            key=context.key(number, "generate", index),
            inputs=RolloutInputs(seeds=draw_seeds(context, usable, part=f"{number}/generate/{index}")),
            links=RolloutLinks(run_id=context.run_id, iteration=number, attempt=index),
            purpose=Purpose.SYNTHESIZE,
        )
        for index in range(context.config.generator_runs)
    ]
    runner = context.runner("synthesize", policy, context.searcher)
    with context.reporter.stage(f"iteration {number}: writing questions", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)


async def deduplicate(context: Context, number: int) -> None:
    """Candidates -> distinct questions, none of them a held-out one of the same corpus."""
    with context.store.session() as session:
        proposed = queries.tasks_by_fate(session, context.run_id, fates=Fate.PROPOSED, iteration=number)
        held = queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)
    # Asked of another corpus, the same words have another answer: a question of this one gives nothing away.
    held = [task for task in held if task.corpus_id == context.corpus.id]
    if not proposed:
        return
    # By key: rows are stored as they finish, and the draw among duplicates must not depend on that.
    proposed.sort(key=lambda task: task.key)
    graph = context.graph("deduplicate")
    decisions = await run_dedup(
        [Pair(task.question, task.answer) for task in proposed],
        held_out=[Pair(task.question, task.answer) for task in held],
        judge=context.judge,
        seed=context.config.seed,
        graph=graph,
    )
    with context.store.session() as session:
        for task, decision in zip(proposed, decisions, strict=True):
            fate = Fate.DEDUPLICATED if decision.kept else Fate.DUPLICATE
            queries.set_fate(session, id_of(task), fate=fate, reason="" if decision.kept else decision.reason)
        rows = zip(proposed, decisions, strict=True)
        queries.save_judgements(session, [duplicate_judgement(t, d, graph) for t, d in rows if not d.kept])
