"""One iteration under way: what each stage of the graph `iteration` does, and what the stages hand on.

Every stage reads what the one before it stored and does only what is missing, so a stopped round goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from agents.policy import Policy
from graphs.iteration import run_iteration, stages
from graphs.schema import StageNode
from karl.context import Context
from karl.evaluation import evaluate
from karl.filters import check_quality, filter_tasks, funnel_line, keep_mixed, snapshot
from karl.solving import solve
from karl.synthesis import deduplicate, synthesize
from karl.training import train, train_control
from store import queries
from store.models import Checkpoint, Dataset
from store.types import Algorithm, Stage

# What the store counts as one stage may be several nodes; the last of them ends it.
_STORED: dict[str, Stage] = {
    "synthesize": Stage.SYNTHESIZE,
    "deduplicate": Stage.DEDUPLICATE,
    "solve": Stage.SOLVE,
    "filter": Stage.FILTER,
    "check_quality": Stage.FILTER,
    "snapshot": Stage.FILTER,
    "train": Stage.TRAIN,
    "evaluate": Stage.EVALUATE,
}
_LAST = frozenset({"synthesize", "deduplicate", "solve", "snapshot", "train", "evaluate"})


@dataclass
class Round:
    """Iteration `number` from the policy `newest`; `control` is where the SFT control of the same datasets stands.

    Python nodes of the graph find it in `state.values["iteration"]`.
    """

    context: Context
    number: int
    newest: Checkpoint
    control: Checkpoint
    dataset: Dataset | None = None
    _began: dict[Stage, float] = field(default_factory=dict)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    _policy: Policy | None = None

    async def run(self) -> None:
        """All stages, in the graph's order. Raises: Stopped when asked to stop."""
        spec = self.context.iteration_graph
        self._note_graph(spec.sha256)
        try:
            await run_iteration(spec, self)
        finally:
            await self._close()
        self._finish(Stage.EVALUATE)

    async def carry_out(self, node: StageNode) -> None:
        """Do the stage, or what is left of it."""
        stage = _STORED[node.stage]
        self._began.setdefault(stage, time.perf_counter())
        await _STAGES[node.stage](self, pending(self.context, self.number, stage))
        if node.stage in _LAST:
            self._finish(stage)

    async def policy(self) -> Policy:
        """The policy that the round starts from; opened when it is first needed."""
        if self._policy is None:
            self._policy = await self._open.enter_async_context(self.context.policy(Path(self.newest.path)))
        return self._policy

    async def _synthesize(self, todo: bool) -> None:
        if todo:
            await synthesize(self.context, self.number, await self.policy())

    async def _deduplicate(self, todo: bool) -> None:
        if todo:
            await deduplicate(self.context, self.number)

    async def _solve(self, todo: bool) -> None:
        if todo:
            await solve(self.context, self.number, await self.policy())
        await self._close()  # the memory is the trainer's now

    async def _filter(self, todo: bool) -> None:
        if todo:
            filter_tasks(self.context, self.number)

    async def _check_quality(self, todo: bool) -> None:
        if todo:
            await check_quality(self.context, self.number)

    async def _snapshot(self, todo: bool) -> None:
        if todo and all(node.stage != "check_quality" for node in stages(self.context.iteration_graph)):
            keep_mixed(self.context, self.number)
        self.context.reporter.say(funnel_line(self.context, self.number))
        self.dataset = snapshot(self.context, self.number, policy_version=self.newest.policy_version)

    async def _train(self, _: bool) -> None:
        assert self.dataset is not None  # checked with the graph: a snapshot comes before
        context, number = self.context, self.number
        algorithm = Algorithm(context.config.algorithm)
        self.newest = await train(context, number, self.dataset, start=self.newest, algorithm=algorithm)
        if context.config.sft_control:
            self.control = await train_control(context, number, self.dataset, start=self.control)

    async def _evaluate(self, _: bool) -> None:
        for checkpoint in arms(self.context, self.newest, self.control):
            async with self.context.policy(Path(checkpoint.path)) as policy:
                arm = f"{checkpoint.algorithm}-{self.number}"
                await evaluate(self.context, policy, arm=arm, iteration=self.number, checkpoint=checkpoint)

    def _finish(self, stage: Stage) -> None:
        """Record how long it took and that it is done; one that was done before stays as it was."""
        if pending(self.context, self.number, stage):
            seconds = time.perf_counter() - self._began.get(stage, time.perf_counter())
            with self.context.store.session() as session:
                queries.finish_stage(session, self.context.run_id, number=self.number, stage=stage, seconds=seconds)

    def _note_graph(self, sha256: str) -> None:
        with self.context.store.session() as session:
            row = queries.iteration_row(session, self.context.run_id, number=self.number)
            before, row.graph_sha256 = row.graph_sha256, sha256
        if before not in ("", sha256):
            self.context.reporter.say(
                f"iteration {self.number} goes on with another iteration graph ({sha256[:12]}) than it began with "
                f"({before[:12]}); stages that are done stay as they are"
            )

    async def _close(self) -> None:
        self._policy = None
        await self._open.aclose()
        self._open = AsyncExitStack()


_STAGES: dict[str, Callable[[Round, bool], Awaitable[None]]] = {
    "synthesize": Round._synthesize,
    "deduplicate": Round._deduplicate,
    "solve": Round._solve,
    "filter": Round._filter,
    "check_quality": Round._check_quality,
    "snapshot": Round._snapshot,
    "train": Round._train,
    "evaluate": Round._evaluate,
}


def pending(context: Context, number: int, stage: Stage) -> bool:
    """A finished stage is never entered again: a failed rollout retried later could change a frozen dataset."""
    order = list(Stage)
    with context.store.session() as session:
        row = queries.iteration_row(session, context.run_id, number=number)
        return not row.done and order.index(row.stage) <= order.index(stage)


def arms(context: Context, trained: Checkpoint, control: Checkpoint) -> list[Checkpoint]:
    """What is evaluated: the trained policy, and its control where there is one."""
    return [trained, control] if context.config.sft_control else [trained]
