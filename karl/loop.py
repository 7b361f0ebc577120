"""The whole flow, one function per arrow: corpus > questions > rollouts > dataset > checkpoint > next iteration.

    hold_out -> [ synthesize -> deduplicate -> solve -> filter_tasks -> snapshot -> train ] x iterations -> evaluate

Every arrow reads what the one before it stored and does only what is missing, so a stopped run goes on where it was.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.judges import Attempt, Judge, Pair, QualityCase
from agents.policy import Policy
from agents.tools import Searcher
from graphs.decide import deduplicate as run_dedup
from graphs.decide import filter_quality
from graphs.runner import GraphRunner
from graphs.state import Example, RolloutInputs
from karl import evaluation, held_out
from karl.collect import Collector, Stopped, Unit
from karl.policies import open_policy, write_profile
from karl.reporting import Reporter
from karl.run_config import RunConfig
from karl.settings import Settings
from store import queries
from store.errors import KarlError
from store.models import Checkpoint, Chunk, Corpus, Dataset, Judgement, Run, Task
from store.queries import RolloutLinks
from store.session import Session, Store
from store.types import Algorithm, Fate, Hit, Purpose, Stage

ARRIVED = (Fate.DEDUPLICATED, Fate.INCOMPLETE, Fate.ALL_CORRECT, Fate.ALL_WRONG, Fate.MIXED, Fate.INVALID, Fate.KEPT)


@dataclass(frozen=True)
class Context:
    """What every arrow needs."""

    store: Store
    settings: Settings
    config: RunConfig
    run: Run
    corpus: Corpus
    searcher: Searcher
    question_corpus: Corpus
    question_searcher: Searcher
    judge: Judge
    reporter: Reporter
    stop: asyncio.Event

    @property
    def run_id(self) -> int:
        assert self.run.id is not None
        return self.run.id

    @property
    def folder(self) -> Path:
        return self.settings.home / "checkpoints" / self.run.name

    def key(self, *parts: object) -> str:
        return "/".join([self.run.name, *map(str, parts)])

    def collector(self, corpus: Corpus) -> Collector:
        assert corpus.id is not None
        return Collector(
            self.store, self.judge, self.config.seed, self.settings.concurrency, self.stop, corpus_id=corpus.id
        )

    def runner(self, graph: str, policy: Policy, searcher: Searcher) -> GraphRunner:
        return GraphRunner.load(
            graph,
            policy=policy,
            searcher=searcher,
            graph_path=self.settings.graph_path,
            prompt_path=self.settings.prompt_path,
        )

    @asynccontextmanager
    async def policy(self, checkpoint: Path) -> AsyncIterator[Policy]:
        policy = open_policy(checkpoint, settings=self.settings)
        try:
            yield policy
        finally:
            await policy.engine.aclose()


async def run_loop(context: Context) -> None:
    """Run, or go on with, all iterations and evaluations. Raises: Stopped when asked to stop."""
    base = await _base_checkpoint(context)
    async with context.policy(Path(base.path)) as policy:
        await held_out.hold_out(context, policy)
        await evaluation.evaluate(context, policy, arm="base", iteration=0, checkpoint=base)
        await evaluation.sweep_temperatures(context, policy, arm="base", iteration=0, checkpoint=base)
    newest, control = base, base
    for number in range(1, context.config.iterations + 1):
        newest, control = await iterate(context, number, start=newest, control=control)
    async with context.policy(Path(newest.path)) as policy:
        last = context.config.iterations
        await evaluation.sweep_temperatures(context, policy, arm=f"oapl-{last}", iteration=last, checkpoint=newest)


async def iterate(
    context: Context, number: int, *, start: Checkpoint, control: Checkpoint
) -> tuple[Checkpoint, Checkpoint]:
    """One iteration from the policy `start`; `control` is where the SFT control of the same datasets stands."""
    async with context.policy(Path(start.path)) as policy:
        async with _stage(context, number, Stage.SYNTHESIZE):
            await synthesize(context, number, policy)
        async with _stage(context, number, Stage.DEDUPLICATE):
            await deduplicate(context, number)
        async with _stage(context, number, Stage.SOLVE):
            await solve(context, number, policy)
        async with _stage(context, number, Stage.FILTER):
            await filter_tasks(context, number)
            dataset = await snapshot(context, number, policy_version=policy.profile.policy_version)
    async with _stage(context, number, Stage.TRAIN):
        trained = await train(context, number, dataset, start=start, algorithm=Algorithm.OAPL)
        if context.config.sft_control:
            control = await train(context, number, dataset, start=control, algorithm=Algorithm.SFT)
    async with _stage(context, number, Stage.EVALUATE):
        arms = [trained, control] if context.config.sft_control else [trained]
        for checkpoint in arms:
            async with context.policy(Path(checkpoint.path)) as policy:
                arm = f"{checkpoint.algorithm}-{number}"
                await evaluation.evaluate(context, policy, arm=arm, iteration=number, checkpoint=checkpoint)
    return trained, control


@asynccontextmanager
async def _stage(context: Context, number: int, stage: Stage) -> AsyncIterator[None]:
    """Record how long a stage took, and that it is done; a stopped stage is not."""
    began = time.perf_counter()
    yield
    with context.store.session() as session:
        row = queries.iteration_row(session, context.run_id, number=number)
        if not row.done and row.stage is stage:
            queries.finish_stage(
                session, context.run_id, number=number, stage=stage, seconds=time.perf_counter() - began
            )


async def _base_checkpoint(context: Context) -> Checkpoint:
    from agents.policy import load_profile

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


async def synthesize(context: Context, number: int, policy: Policy) -> None:
    """Corpus -> candidate questions: each generator rollout starts at chunks drawn for it alone."""
    with context.store.session() as session:
        chunks = [*queries.corpus_chunks(session, _id(context.corpus))]
        examples = [
            Example(t.question, t.answer)
            for t in queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)[:4]
        ]
    usable = held_out.training_chunks(context, chunks)
    units = []
    for index in range(context.config.generator_runs):
        key = context.key(number, "generate", index)
        units.append(
            Unit(
                key=key,
                inputs=RolloutInputs(
                    seeds=draw_seeds(usable, key=key, count=context.config.seed_chunks), examples=examples
                ),
                links=RolloutLinks(run_id=context.run_id, iteration=number, attempt=index),
                purpose=Purpose.SYNTHESIZE,
            )
        )
    runner = context.runner("qa_generator", policy, context.searcher)
    with context.reporter.stage(f"iteration {number}: writing questions", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)


def draw_seeds(chunks: Sequence[Chunk], *, key: str, count: int) -> list[Hit]:
    drawn = random.Random(key).sample(list(chunks), min(count, len(chunks)))
    return [Hit(chunk_id=_id(c), key=c.key, title=c.title, text=c.text, score=0.0, page=c.page) for c in drawn]


async def deduplicate(context: Context, number: int) -> None:
    """Candidates -> distinct questions, none of them a held-out one."""
    with context.store.session() as session:
        proposed = queries.tasks_by_fate(session, context.run_id, fates=Fate.PROPOSED, iteration=number)
        held = queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)
    if not proposed:
        return
    decisions = await run_dedup(
        [Pair(task.question, task.answer) for task in proposed],
        held_out=[Pair(task.question, task.answer) for task in held],
        judge=context.judge,
        seed=context.config.seed,
        graph_path=context.settings.graph_path,
    )
    with context.store.session() as session:
        for task, decision in zip(proposed, decisions, strict=True):
            fate = Fate.DEDUPLICATED if decision.kept else Fate.DUPLICATE
            queries.set_fate(session, _id(task), fate=fate, reason="" if decision.kept else decision.reason)


async def solve(context: Context, number: int, policy: Policy) -> None:
    """Distinct questions -> G judged rollouts each."""
    with context.store.session() as session:
        tasks = queries.tasks_by_fate(session, context.run_id, fates=ARRIVED, iteration=number)
    units = [
        Unit(
            key=context.key(number, "solve", task.id, attempt),
            inputs=RolloutInputs(question=task.question),
            links=RolloutLinks(run_id=context.run_id, iteration=number, task_id=task.id, attempt=attempt),
            purpose=Purpose.TRAIN,
            nuggets=tuple(task.nuggets or [task.answer]),
        )
        for task in tasks[: context.config.max_tasks]
        for attempt in range(context.config.group_size)
    ]
    runner = context.runner("solver", policy, context.searcher)
    with context.reporter.stage(f"iteration {number}: solving", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)


async def filter_tasks(context: Context, number: int) -> None:
    """Rolled-out questions -> those neither too easy, nor too hard, nor wrong."""
    with context.store.session() as session:
        tasks = queries.tasks_by_fate(session, context.run_id, fates=Fate.DEDUPLICATED, iteration=number)
        groups = queries.groups(session, context.run_id, iteration=number)
        for task in tasks:
            if _id(task) in groups:
                fate, reason, rate = pass_rate_fate(context, [m.reward for m in groups[_id(task)]])
                queries.set_fate(session, _id(task), fate=fate, reason=reason, pass_rate=rate)
    with context.store.session() as session:
        mixed = queries.tasks_by_fate(session, context.run_id, fates=Fate.MIXED, iteration=number)
        cases = {_id(task): _quality_case(session, task, groups[_id(task)]) for task in mixed}
    with context.reporter.stage(f"iteration {number}: checking quality", len(cases)) as progress:
        for task in mixed:
            verdict = await filter_quality(
                cases[_id(task)], judge=context.judge, graph_path=context.settings.graph_path
            )
            with context.store.session() as session:
                fate = Fate.KEPT if verdict.valid else Fate.INVALID
                queries.set_fate(session, _id(task), fate=fate, reason="; ".join(verdict.reasons))
                judgement = Judgement(
                    key=f"{task.key}/quality",
                    task_id=task.id,
                    kind="quality",
                    judge=verdict.judge,
                    prompt_sha256=verdict.prompt_sha256,
                    labels=["valid" if verdict.valid else "invalid"],
                    reason="; ".join(verdict.reasons),
                )
                queries.save_judgements(session, [judgement])
            progress.advance()


def pass_rate_fate(context: Context, rewards: Sequence[float | None]) -> tuple[Fate, str, float | None]:
    """All or none correct: nothing to learn. Failed rollouts have no reward; half of the group must have come back."""
    scored = [reward for reward in rewards if reward is not None]
    if len(scored) * 2 < context.config.group_size:
        return Fate.INCOMPLETE, f"{len(scored)} of {context.config.group_size} rollouts came back", None
    rate = sum(reward >= context.config.reward_threshold for reward in scored) / len(scored)
    reason = "" if len(scored) == len(rewards) else f"{len(rewards) - len(scored)} rollouts failed"
    if rate == 1.0:
        return Fate.ALL_CORRECT, reason, rate
    return (Fate.MIXED, reason, rate) if rate > 0.0 else (Fate.ALL_WRONG, reason, rate)


def _quality_case(session: Session, task: Task, members: Sequence[queries.GroupMember]) -> QualityCase:
    ids = [member.rollout_id for member in members if member.reward is not None]
    closings = queries.closing_turns(session, ids)
    cited = queries.chunks_by_id(session, task.citations)
    rewards = {member.rollout_id: member.reward or 0.0 for member in members}
    return QualityCase(
        question=task.question,
        answer=task.answer,
        nuggets=task.nuggets or [task.answer],
        evidence=[chunk.text for chunk in cited.values()],
        attempts=[Attempt(answer, rewards[id_], text) for id_, answer, text in closings],
    )


async def snapshot(context: Context, number: int, *, policy_version: int) -> Dataset:
    """Kept questions with their groups -> a frozen dataset, rewards binary at the threshold."""
    with context.store.session() as session:
        kept = {_id(t) for t in queries.tasks_by_fate(session, context.run_id, fates=Fate.KEPT, iteration=number)}
        if not kept:
            counts = queries.funnel(session, context.run_id, iteration=number).counts
            raise KarlError(
                f"iteration {number} kept no question ({', '.join(f'{k} {v}' for k, v in counts.items())}): "
                "raise --generator-runs, or look at the reasons with `karl show`"
            )
        groups = queries.groups(session, context.run_id, iteration=number)
        return queries.freeze_dataset(
            session,
            context.run_id,
            iteration=number,
            name=context.key(f"dataset-{number}"),
            policy_version=policy_version,
            groups={id_: _binary(context, members) for id_, members in groups.items() if id_ in kept},
        )


def _binary(context: Context, members: Sequence[queries.GroupMember]) -> list[queries.GroupMember]:
    return [
        m if m.reward is None else m._replace(reward=float(m.reward >= context.config.reward_threshold))
        for m in members
    ]


async def train(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, algorithm: Algorithm
) -> Checkpoint:
    """Dataset -> checkpoint, with the loss of `algorithm`, from the weights of `start`. Raises: Stopped."""
    from karl.training import train_checkpoint

    name = context.key(f"{algorithm}-{number}")
    with context.store.session() as session:
        held = [row for row in queries.checkpoints(session, run_id=context.run_id) if row.name == name]
    if held and Path(held[0].path).is_dir():
        return held[0]
    result = await train_checkpoint(context, number, dataset, start=start, algorithm=algorithm)
    if result.out is None:
        raise Stopped
    version = start.policy_version + 1
    write_profile(result.out, policy_version=version)
    with context.store.session() as session:
        return queries.save_checkpoint(
            session,
            Checkpoint(
                run_id=context.run_id,
                name=name,
                iteration=number,
                algorithm=algorithm,
                path=str(result.out),
                weights_sha256=result.weights_sha256,
                policy_version=version,
                dataset_id=dataset.id,
                parent_id=start.id,
            ),
        )


def _id(row: Chunk | Task | Corpus) -> int:
    assert row.id is not None
    return row.id
