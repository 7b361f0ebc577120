"""Claim (c): compression that was trained end to end beats none, and beats a compressor that was not trained.

The policy is made to work in a context that questions of several hops do not fit into. It is trained there with
compression, in two rounds; then the same weights answer with their own summaries, with none, and with the base
policy's summaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from agents.engines.base import Engine, GenerateRequest, Generation
from agents.policy import Policy
from karl.benches.claims_rig import (
    Claimed,
    ClaimOptions,
    Plan,
    described,
    gap,
    measure,
    must_hold,
    roll_out,
    training_questions,
)
from karl.benches.learning_figures import of_kinds
from karl.context import Context
from karl.evaluation import evaluate
from karl.filters import snapshot
from karl.held_out import hold_out
from karl.loop import base_checkpoint
from karl.reporting import Reporter
from karl.settings import Settings
from karl.tiny.world import Question
from karl.training import train
from store.models import Checkpoint
from store.types import Algorithm

# Tokens, prompt and continuation. A search and its results are about 40: an answer with quotes fits behind one of them
# and not behind two, which questions of two hops need. Asked for after every search, a summary always fits.
CONTEXT, TRIGGER, SUMMARY = 120, 48, 36
ROUNDS = 2  # of sampling and training: the base solves few of these questions in so small a context
LONG = ("manager_home", "product_launch", "product_leader", "product_office", "user_leader", "user_office")
BUDGET = "{kind: step_budget, steps: 10}"
GRAPHS = {
    "compressing": f"plugins: [{BUDGET}, {{kind: compression, trigger_tokens: {TRIGGER}, summary_tokens: {SUMMARY}}}]",
    "plain": f"plugins: [{BUDGET}]",
}
ASKS_SUMMARY = "summarise<|end|><|assistant|>"  # prompts/tiny/compressor.md, as the template closes it
ARMS = {"base": "base", "own summaries": "own", "no summaries": "none", "summaries of the base": "base-summaries"}


def claim_compression(options: ClaimOptions, *, settings: Settings, reporter: Reporter) -> Claimed:
    async def flow(context: Context) -> None:
        await _flow(context, options)

    plan = Plan("c", flow, ARMS, mostly=LONG, constants=(CONTEXT, GRAPHS, ROUNDS))
    arms, collapsed = measure(plan, options, settings=settings, reporter=reporter)
    long = {label: of_kinds(answers, LONG) for label, answers in arms.items()}
    pairs = {
        "own summaries over none": gap(long["own summaries"], long["no summaries"]),
        "own summaries over those of the base": gap(long["own summaries"], long["summaries of the base"]),
    }
    figures = {
        "context_tokens": CONTEXT,
        "kinds": list(LONG),
        "several hops": described(long, samples=options.samples),
        "all questions": described(arms, samples=options.samples),
        "pairs": pairs,
        "collapsed": collapsed,
    }
    return Claimed(figures, must_hold(pairs))


async def _flow(context: Context, options: ClaimOptions) -> None:
    compressing, plain = (_with_graph(context, name) for name in GRAPHS)
    compressing.read_graphs()
    plain.read_graphs()
    base = await base_checkpoint(context)
    async with AsyncExitStack() as opened:
        policy = await _small(opened, context, base)
        await hold_out(context, policy)
        await evaluate(compressing, policy, arm="base", iteration=0, checkpoint=base)
    asked = training_questions(context.config.seed, count=ROUNDS * options.asked, kinds=LONG)
    trained = base
    for number in range(1, ROUNDS + 1):
        trained = await _round(context, compressing, number, asked[number - 1 :: ROUNDS], start=trained)
    async with AsyncExitStack() as opened:
        policy = await _small(opened, context, trained)
        other = await _small(opened, context, base)
        mixed = replace(policy, engine=SplitEngine(policy.engine, other.engine, policy))
        await evaluate(compressing, policy, arm="own", iteration=ROUNDS, checkpoint=trained)
        await evaluate(plain, policy, arm="none", iteration=ROUNDS, checkpoint=trained)
        await evaluate(compressing, mixed, arm="base-summaries", iteration=ROUNDS, checkpoint=trained)


async def _round(
    context: Context, compressing: Context, number: int, asked: Sequence[Question], *, start: Checkpoint
) -> Checkpoint:
    async with AsyncExitStack() as opened:
        await roll_out(compressing, number, asked, await _small(opened, context, start))
    dataset = snapshot(context, number, policy_version=start.policy_version)
    return await train(context, number, dataset, start=start, algorithm=Algorithm.OAPL)


def _with_graph(context: Context, name: str) -> Context:
    """The same run with another solver."""
    folder = context.settings.home / "graphs" / name
    folder.mkdir(parents=True, exist_ok=True)
    text = f"extends: solver\noverrides:\n  tiny:\n    {GRAPHS[name]}\n"
    (folder / "solver.yaml").write_text(text, encoding="utf-8")
    return replace(context, settings=context.settings.model_copy(update={"graph_path": [folder]}))


async def _small(opened: AsyncExitStack, context: Context, checkpoint: Checkpoint) -> Policy:
    """The policy of a checkpoint, told that its context is small."""
    policy = await opened.enter_async_context(context.policy(Path(checkpoint.path)))
    return replace(policy, profile=policy.profile.model_copy(update={"context_tokens": CONTEXT}))


@dataclass(frozen=True)
class SplitEngine:
    """Turns that ask for a summary go to `summariser`, all others to `solver`. Whoever made the engines closes them."""

    solver: Engine
    summariser: Engine
    policy: Policy

    @property
    def model(self) -> str:
        return self.solver.model

    async def generate(self, request: GenerateRequest) -> Generation:
        return await (self.summariser if self._asks(request.prompt_ids) else self.solver).generate(request)

    def release(self, session: str) -> None:
        self.solver.release(session)
        self.summariser.release(session)

    async def aclose(self) -> None:
        """Both are others' to close."""

    def _asks(self, prompt_ids: Sequence[int]) -> bool:
        return self.policy.decode(list(prompt_ids[-16:])).endswith(ASKS_SUMMARY)
