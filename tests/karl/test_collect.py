"""Rollouts are made once, judged, stored; what fails is a row of its own and is tried again; a broken stage stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.errors import EngineError, JudgeError
from agents.judges import Duplicate, Pair, Quality, QualityCase, RuleJudge, Score
from agents.policy import Policy
from karl import held_out
from karl.collect import BREAKER, Stopped, Unit, seed_of
from karl.evaluation import evaluate
from karl.loop import Context
from karl.reporting import SilentReporter
from store import queries
from store.errors import KarlError
from store.models import Checkpoint, Judgement, Rollout, Task
from store.queries.common import table_of
from store.types import Algorithm, FailureKind, Fate, Purpose, RolloutStatus
from tests.karl.loop_kit import LEADERS, TURNS, make_context, many, reader, requests, units

Make = Callable[..., Context]


class MoodyJudge:
    """Judges by rules, but while `broken` refuses the answers in `refused`, and the quality case number `fails_at`."""

    name = "moody"

    def __init__(self, *refused: str, fails_at: int = 0) -> None:
        self.refused, self.fails_at, self.broken, self.cases = refused, fails_at, True, 0
        self._rules = RuleJudge()

    async def score(self, answer: str, *, question: str, nuggets: Sequence[str]) -> Score:
        if self.broken and answer in self.refused:
            raise JudgeError("the judge has gone home")
        return (await self._rules.score(answer, question=question, nuggets=nuggets))._replace(judge=self.name)

    async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
        return await self._rules.duplicate(first, second)

    async def quality(self, case: QualityCase) -> Quality:
        self.cases += 1
        if self.broken and self.cases == self.fails_at:
            raise JudgeError("the judge has gone home")
        return await self._rules.quality(case)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Context] = []

    def context(**options: Any) -> Context:
        made.append(make_context(tmp_path, **options))
        return made[-1]

    yield context
    for context_ in made:
        context_.store.close()


async def collect(context: Context, todo: list[Unit], policy: Policy) -> None:
    runner = context.runner("solve", policy, context.searcher)
    with SilentReporter().stage("solving", len(todo)) as progress:
        await context.collector(context.corpus).collect(todo, runner=runner, run_id=context.run_id, progress=progress)


def rollouts(context: Context) -> list[Rollout]:
    with context.store.session() as session:
        return [session.get_one(Rollout, id_) for id_ in _ids(session, Rollout)]


def judgements(context: Context) -> list[Judgement]:
    with context.store.session() as session:
        return [session.get_one(Judgement, id_) for id_ in _ids(session, Judgement)]


def _ids(session: Any, model: type) -> list[int]:
    from sqlalchemy import select

    return [*session.connection().execute(select(table_of(model).c.id).order_by(table_of(model).c.id)).scalars()]


async def test_rewards_and_judgements_are_stored(make: Make):
    context = make()
    await collect(context, units(context, 6), reader(lambda product, person: "nobody" if product[-1] < "3" else person))
    rewards = {row.key: row.reward for row in rollouts(context)}
    assert rewards == {context.key("solve", n): float(n >= 3) for n in range(6)}
    held = {row.key: row for row in judgements(context)}
    assert set(held) == {f"{key}/nuggets" for key in rewards}
    last = held[f"{context.key('solve', 5)}/nuggets"]
    assert (last.kind, last.judge, last.labels, last.score) == ("nuggets", "rule", ["support"], 1.0)
    assert {row.rollout_id for row in held.values()} == {row.id for row in rollouts(context)}


async def test_judged_rollouts_have_a_class_and_failed_ones_none(make: Make):
    context = make(judge=MoodyJudge("nobody"))
    await collect(
        context, units(context, 4), reader(lambda product, person: "nobody" if product[-1] == "0" else person)
    )
    found = {row.key.rpartition("/")[2]: (row.status, row.behaviour) for row in rollouts(context)}
    assert found["0"] == (RolloutStatus.FAILED, "")
    # A search and an answer are two of six steps: under the 40% below which an end is early.
    assert {status for status, _ in (found[n] for n in "123")} == {RolloutStatus.FINISHED}
    assert {behaviour for _, behaviour in (found[n] for n in "123")} == {"giving_up_early"}


async def test_what_is_stored_is_not_made_again(make: Make):
    context = make()
    await collect(context, units(context, 4), reader())
    first = {row.key: (row.id, row.created_at) for row in rollouts(context)}
    policy = reader()
    await collect(context, units(context, 7), policy)
    assert requests(policy) == 3 * TURNS
    second = {row.key: (row.id, row.created_at) for row in rollouts(context)}
    assert len(second) == 7
    assert first.items() <= second.items()


async def test_a_rollout_of_the_same_key_has_the_same_seed_whatever_is_left_to_do(make: Make):
    context = make()
    await collect(context, units(context, 5)[::-1], reader())
    assert {row.key: row.seed for row in rollouts(context)} == {
        # The run's name is no part of it: the same run under another name draws the same.
        context.key("solve", n): seed_of(f"/solve/{n}", seed=context.config.seed)
        for n in range(5)
    }
    assert len({row.seed for row in rollouts(context)}) == 5


async def test_a_failed_rollout_has_no_reward_and_is_tried_again(make: Make):
    context = make()

    def breaks(product: str, person: str) -> str:
        if product == "product2":
            raise EngineError("the lights went out")
        return person

    for _ in range(2):  # the second time it is the only one left, which does not make it a broken stage
        await collect(context, units(context, 5), reader(breaks))
    failed = {row.key: row for row in rollouts(context)}[context.key("solve", 2)]
    assert (failed.status, failed.reward, failed.failure_kind) == (RolloutStatus.FAILED, None, FailureKind.ENGINE)
    assert "the lights went out" in failed.failure_reason
    policy = reader()
    await collect(context, units(context, 5), policy)
    assert requests(policy) == TURNS  # that one alone
    mended = {row.key: row for row in rollouts(context)}[context.key("solve", 2)]
    assert (mended.id, mended.status, mended.reward) == (failed.id, RolloutStatus.FINISHED, 1.0)
    assert (mended.failure_kind, mended.failure_reason, mended.failure_traceback) == (None, "", "")


async def test_an_unfinished_rollout_has_reward_zero_and_is_not_judged(make: Make):
    context = make()
    await collect(context, units(context, 1), reader(lambda product, person: ""))
    (row,) = rollouts(context)
    assert (row.status, row.reward) == (RolloutStatus.UNFINISHED, 0.0)
    assert judgements(context) == []


async def test_a_judge_that_fails_makes_a_failed_row(make: Make):
    judge = MoodyJudge("person1")
    context = make(judge=judge)
    await collect(context, units(context, 3), reader())
    failed = {row.key: row for row in rollouts(context)}[context.key("solve", 1)]
    assert (failed.status, failed.reward, failed.failure_kind) == (RolloutStatus.FAILED, None, FailureKind.JUDGE)
    assert failed.failure_reason == "the judge has gone home"
    assert len(judgements(context)) == 2
    judge.broken = False
    await collect(context, units(context, 3), reader())
    assert [row.reward for row in rollouts(context)] == [1.0, 1.0, 1.0]
    assert len(judgements(context)) == 3


# -- the circuit breaker ---------------------------------------------------------------------------------------------


def out(product: str, person: str) -> str:
    raise EngineError("endpoint down")


async def test_a_stage_whose_rollouts_all_fail_stops_early_and_says_why(make: Make):
    context = make()
    with pytest.raises(
        KarlError, match=rf"^{BREAKER} rollouts in a row failed, {BREAKER} of them so: engine: .*endpoint"
    ):
        await collect(context, many(units(context, 1)[0], 500), reader(out))
    assert BREAKER <= len(rollouts(context)) <= BREAKER + context.settings.concurrency
    await collect(context, many(units(context, 1)[0], 60), reader())  # mended: the failed ones are tried anew
    assert all(row.reward == 1.0 for row in rollouts(context))


async def test_a_small_stage_that_fails_altogether_is_an_error_too(make: Make):
    context = make()
    with pytest.raises(KarlError, match="3 rollouts in a row failed"):
        await collect(context, units(context, 3), reader(out))


async def test_single_failures_do_not_stop_a_stage(make: Make):
    context, count = make(), 0

    def sometimes(product: str, person: str) -> str:
        nonlocal count
        count += 1
        if count % 3:
            raise EngineError("busy")
        return person

    await collect(context, many(units(context, 1)[0], 150), reader(sometimes))
    assert [row.status for row in rollouts(context)].count(RolloutStatus.FAILED) == 100


async def test_a_stop_keeps_what_is_finished(make: Make):
    context, answered = make(), 0

    def until_stopped(product: str, person: str) -> str:
        nonlocal answered
        answered += 1
        if answered == 7:
            context.stop.set()
        return person

    with pytest.raises(Stopped):
        await collect(context, many(units(context, 1)[0], 100), reader(until_stopped))
    assert 7 <= len(rollouts(context)) <= 7 + context.settings.concurrency
    assert all(row.status is RolloutStatus.FINISHED for row in rollouts(context))


async def test_a_cancelled_stage_keeps_what_is_finished(make: Make):
    context, enough, answered = make(), asyncio.Event(), 0

    def respond(product: str, person: str) -> str:
        nonlocal answered
        answered += 1
        if answered == 9:
            enough.set()
        return person

    work = asyncio.create_task(collect(context, many(units(context, 1)[0], 5000), reader(respond)))
    await asyncio.wait_for(enough.wait(), 30)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert 9 - context.settings.concurrency <= len(rollouts(context)) < 5000


# -- held-out questions and evaluation -------------------------------------------------------------------------------


def tasks(context: Context, fate: Fate) -> list[Task]:
    with context.store.session() as session:
        return queries.tasks_by_fate(session, context.run_id, fates=fate)


async def test_held_out_questions_are_written_from_reserved_notes(make: Make):
    context = make()
    await held_out.hold_out(context, reader())
    held = tasks(context, Fate.HELD_OUT)
    assert 1 <= len(held) <= context.config.held_out
    assert len({task.question for task in held}) == len(held)
    with context.store.session() as session:
        chunks = list(queries.corpus_chunks(session, context.corpus.id or 0))
        cited = queries.chunks_by_id(session, {id_ for task in held for id_ in task.citations})
    assert cited
    assert all(held_out.reserved(chunk) for chunk in cited.values())
    assert not {c.id for c in held_out.training_chunks(context, chunks)} & set(cited)
    assert all(LEADERS[task.question.split()[-1].rstrip("?")] == task.answer for task in held)
    again = reader()
    await held_out.hold_out(context, again)
    assert requests(again) == 0


async def test_an_interrupted_choice_of_held_out_questions_goes_on(make: Make):
    context = make(judge=MoodyJudge(fails_at=2), held_out=3)
    with pytest.raises(JudgeError):
        await held_out.hold_out(context, reader())
    first = [task.id for task in tasks(context, Fate.HELD_OUT)]
    assert len(first) == 1
    await held_out.hold_out(context, reader())
    ids = [task.id for task in tasks(context, Fate.HELD_OUT)]
    assert len(ids) == 3
    assert set(first) <= set(ids)
    assert sum(row.kind == "quality" for row in judgements(context)) == 3


async def test_what_failed_in_an_evaluation_is_tried_again_before_it_becomes_a_figure(make: Make):
    context = make()
    await held_out.hold_out(context, reader())
    held = tasks(context, Fate.HELD_OUT)
    calls: dict[str, int] = {}

    def one_of_each(product: str, person: str) -> str:
        """Of three attempts at a question one is right, one wrong, one fails."""
        calls[product] = calls.get(product, 0) + 1
        if calls[product] == 1:
            raise EngineError("busy")
        return person if calls[product] == 2 else "nobody"

    with context.store.session() as session:
        base = queries.save_checkpoint(
            session, Checkpoint(run_id=context.run_id, name="b", algorithm=Algorithm.BASE, path="b")
        )
    result = await evaluate(context, reader(one_of_each), arm="base", iteration=0, checkpoint=base)
    assert result.figures["pass@1"]["mean"] == pytest.approx(1 / 3, abs=1e-4)  # one of three, none left out
    assert result.figures["questions"] == len(held)
    assert (result.figures["attempts"], result.figures["failed"]) == (3 * len(held), 0)
    assert result.figures["searches"]["mean"] == pytest.approx(1.0)
    evaluated = [row for row in rollouts(context) if row.purpose is Purpose.EVALUATE]
    assert {(row.arm, row.iteration) for row in evaluated} == {("base", 0)}
    again = reader()
    repeated = await evaluate(context, again, arm="base", iteration=0, checkpoint=base)
    assert (repeated.id, requests(again)) == (result.id, 0)


async def test_an_evaluation_with_too_many_failures_leaves_no_figure(make: Make):
    context = make()
    await held_out.hold_out(context, reader())
    broken = sorted(task.question for task in tasks(context, Fate.HELD_OUT))[0]

    def fails_on_one(product: str, person: str) -> str:
        if product in broken:
            raise EngineError("busy")
        return person

    with context.store.session() as session:
        base = queries.save_checkpoint(
            session, Checkpoint(run_id=context.run_id, name="b", algorithm=Algorithm.BASE, path="b")
        )
    with pytest.raises(KarlError, match=r"evaluating base: \d+ of \d+ rollouts failed twice"):
        await evaluate(context, reader(fails_on_one), arm="base", iteration=0, checkpoint=base)
    with context.store.session() as session:
        assert queries.eval_results(session, context.run_id) == []
    mended = await evaluate(context, reader(), arm="base", iteration=0, checkpoint=base)
    assert mended.figures["failed"] == 0
