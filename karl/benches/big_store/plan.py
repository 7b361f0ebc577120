"""How many rows of each kind, and of which run: the same numbers for the same size and seed."""

from __future__ import annotations

from dataclasses import dataclass

from store.types import RunState

GROUP = 8  # rollouts a question
SHARES = ((0.6, RunState.DONE), (0.2, RunState.RUNNING), (0.1, RunState.STOPPED), (0.07, RunState.FAILED))


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run. rollouts: of the solver; a question has `GROUP` of them; iterations share them."""

    name: str
    state: RunState
    rollouts: int
    iterations: int = 2
    training_steps: int = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """steps: of every rollout; tokens: of its one segment; chunks: of the corpus."""

    runs: tuple[RunPlan, ...]
    steps: int
    tokens: int
    chunks: int
    seed: int

    @property
    def rollouts(self) -> int:
        return sum(run.rollouts for run in self.runs)


def plan_store(*, rollouts: int, steps: int, seed: int) -> Plan:
    """One big run that is done, one that goes on, and smaller ones; the last takes what rounding leaves."""
    sizes = [int(rollouts * share) // GROUP * GROUP for share, _ in SHARES]
    runs = [
        RunPlan(f"big-{number}", state, size)
        for number, (size, (_, state)) in enumerate(zip(sizes, SHARES, strict=True), start=1)
    ]
    rest = RunPlan(f"big-{len(runs) + 1}", RunState.DONE, rollouts - sum(sizes), iterations=1)
    # The one that goes on is the newest, as in life.
    ordered = sorted([*runs, rest], key=lambda run: run.state is RunState.RUNNING)
    return Plan(tuple(ordered), steps=steps, tokens=96, chunks=2000, seed=seed)
