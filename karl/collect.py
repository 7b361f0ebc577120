"""Run many rollouts at once, judge them, store them. Used for synthesis, training data and evaluation alike.

Each rollout has a deterministic key; what the store holds already is not done again, so a killed run goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from agents.errors import RolloutError
from agents.judges import Judge, Score
from graphs.state import RolloutInputs
from karl.reporting import Progress
from store import queries
from store.errors import KarlError
from store.models import Judgement
from store.queries import RolloutLinks
from store.session import Store
from store.types import Failure, Purpose, RolloutRecord, RolloutStatus

FLUSH = 96  # finished rollouts per transaction: what a power cut can cost
BREAKER = 48  # failures of the environment in a row after which the rest would only fail as well


class Runner(Protocol):
    """What makes a rollout: a graph, or a system of others that only answers."""

    async def run(
        self, inputs: RolloutInputs, *, key: str, purpose: Purpose, seed: int, temperature: float | None = None
    ) -> RolloutRecord:
        """Never raises for what went wrong in the rollout: the record says so."""
        ...


class Behaviour(Protocol):
    """Names the class of search behaviour of a rollout with this reward; "" where it has none."""

    def __call__(self, record: RolloutRecord, reward: float | None, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Unit:
    """One rollout to make. With `nuggets` it is judged; without, it has no reward."""

    key: str
    inputs: RolloutInputs
    links: RolloutLinks
    purpose: Purpose
    temperature: float | None = None
    nuggets: tuple[str, ...] = ()


class Done(NamedTuple):
    record: RolloutRecord
    links: RolloutLinks
    score: Score | None


class Stopped(Exception):
    """The user asked to stop; everything finished is stored."""


@dataclass
class Collector:
    """Bounded concurrency, one writer. `patient`: failures in a row stop nothing, for units that failed before."""

    store: Store
    judge: Judge
    seed: int
    concurrency: int
    stop: asyncio.Event
    corpus_id: int
    run_name: str = ""  # left out of the seeds: the same run under another name draws the same
    behaviour: Behaviour | None = None  # of a judged rollout, for its row; None: rows have none
    flush: int = FLUSH
    patient: bool = False
    _finished: list[Done] = field(default_factory=list)
    _streak: list[Failure] = field(default_factory=list)  # failures since the last rollout that did not fail

    async def collect(self, units: Sequence[Unit], *, runner: Runner, run_id: int, progress: Progress) -> None:
        """Make every unit that the store lacks. Raises: Stopped; KarlError when the environment fails all of them."""
        with self.store.session() as session:
            held = queries.rollout_keys(session, run_id, prefix=_common_start(units), failed=False)
        missing = [unit for unit in units if unit.key not in held]
        progress.skip(len(units) - len(missing))
        todo = iter(missing)
        progress.under_way(min(self.concurrency, len(missing)))
        self._streak.clear()
        workers = [
            asyncio.create_task(self._work(todo, runner=runner, progress=progress))
            for _ in range(min(self.concurrency, len(missing)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._flush()
        if self.stop.is_set():
            raise Stopped
        if units and len(self._streak) == len(units):
            raise _broken(self._streak)

    async def _work(self, todo: Iterator[Unit], *, runner: Runner, progress: Progress) -> None:
        for unit in todo:
            if self.stop.is_set():
                return
            record = await runner.run(
                unit.inputs,
                key=unit.key,
                purpose=unit.purpose,
                seed=seed_of(unit.key.removeprefix(self.run_name), seed=self.seed),
                temperature=unit.temperature,
            )
            done = self._classified(await self._judged(unit, record))
            self._finished.append(done)
            progress.advance()
            self._watch(done.record)
            if len(self._finished) >= self.flush:
                self._flush()

    def _watch(self, record: RolloutRecord) -> None:
        """Circuit breaker. Raises: KarlError."""
        if record.failure is None or record.status is not RolloutStatus.FAILED:
            self._streak.clear()
            return
        self._streak.append(record.failure)
        if len(self._streak) >= BREAKER and not self.patient:
            raise _broken(self._streak)

    async def _judged(self, unit: Unit, record: RolloutRecord) -> Done:
        if not unit.nuggets or record.status is RolloutStatus.FAILED:
            return Done(record, unit.links, None)
        if record.status is RolloutStatus.UNFINISHED:
            return Done(record, replace(unit.links, reward=0.0), None)
        try:
            score = await self.judge.score(record.answer, question=record.question, nuggets=unit.nuggets)
        except RolloutError as exc:
            failed = replace(record, status=RolloutStatus.FAILED, failure=exc.to_failure())
            return Done(failed, unit.links, None)
        return Done(record, replace(unit.links, reward=score.value), score)

    def _classified(self, done: Done) -> Done:
        if self.behaviour is None:
            return done
        return done._replace(links=replace(done.links, behaviour=self.behaviour(done.record, done.links.reward)))

    def _flush(self) -> None:
        if not self._finished:
            return
        done, self._finished = self._finished, []
        with self.store.session() as session:
            ids = queries.save_rollouts(session, [(item.record, item.links) for item in done])
            # Rows of their own, found by their keys: what they read and sampled was paid for too.
            queries.save_rollouts(session, [attempt for item in done for attempt in attempts_of(item.record)])
            queries.save_judgements(
                session,
                [_judgement(item, rollout_id) for item, rollout_id in zip(done, ids, strict=True) if item.score],
            )
            for item, rollout_id in zip(done, ids, strict=True):
                if item.record.candidates and item.links.run_id is not None:
                    queries.save_candidates(
                        session,
                        item.record.candidates,
                        rollout_id=rollout_id,
                        key=item.record.key,
                        run_id=item.links.run_id,
                        iteration=item.links.iteration,
                        corpus_id=self.corpus_id,
                    )


def attempts_of(record: RolloutRecord) -> list[tuple[RolloutRecord, RolloutLinks]]:
    """The rollouts that this one combined, those that they combined too; they belong to no run."""
    rows: list[tuple[RolloutRecord, RolloutLinks]] = []
    for index, attempt in enumerate(record.attempts):
        rows += [(attempt, RolloutLinks(attempt=index)), *attempts_of(attempt)]
    return rows


def _broken(failures: Sequence[Failure]) -> KarlError:
    (kind, reason), count = Counter((failure.kind, failure.reason) for failure in failures).most_common(1)[0]
    return KarlError(
        f"{len(failures)} rollouts in a row failed, {count} of them so: {kind}: {reason}; mend that and give the "
        "same command again: failed rollouts are tried anew, the others are stored"
    )


def seed_of(key: str, *, seed: int) -> int:
    """A seed that depends on the unit of work alone, not on the order in which units run."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:6], "little")


def _judgement(item: Done, rollout_id: int) -> Judgement:
    assert item.score is not None
    return Judgement(
        key=f"{item.record.key}/nuggets",
        rollout_id=rollout_id,
        task_id=item.links.task_id,
        kind="nuggets",
        judge=item.score.judge,
        prompt_sha256=item.score.prompt_sha256,
        labels=list(item.score.labels),
        score=item.score.value,
        reason=item.score.reason,
    )


def _common_start(units: Sequence[Unit]) -> str:
    """The longest common prefix of the keys, to ask the store for less."""
    if not units:
        return ""
    low, high = min(unit.key for unit in units), max(unit.key for unit in units)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:length]
