"""Rollouts as lines: every filter by itself and together, pages by key, counts that stop, behaviours filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from store.errors import KarlError
from store.models import Judgement
from store.queries import (
    RolloutFilter,
    RolloutLinks,
    attempts_under,
    judgements_of,
    newest_rollout_id,
    rollout_lines,
    rollout_steps,
    rollout_total,
    save_judgements,
    save_rollouts,
    segment_heads,
    segment_tokens,
    set_behaviours,
    set_rewards,
    unclassified,
)
from store.session import Session, Store
from store.types import Failure, FailureKind, Fate, Purpose, Role, RolloutStatus
from tests.store.records import a_rollout, a_run, some_tasks

TIMEOUT = Failure(FailureKind.TIMEOUT, "too slow")


def filled(session: Session) -> dict[str, Any]:
    """name -> id of the runs `run` and `other`, and of rollouts a..e of the first, f of the second, g of none."""
    run, corpus = a_run(session, name="run")
    other, _ = a_run(session, name="other")
    kept, dropped = some_tasks(session, run_id=run, corpus_id=corpus, fates=[Fate.KEPT, Fate.DUPLICATE])
    train = a_rollout("a", question="Who leads Atlas?")
    evaluated = replace(train, purpose=Purpose.EVALUATE)
    of_run = RolloutLinks(run_id=run, iteration=1, task_id=kept)
    made = {
        "a": (train, replace(of_run, reward=1.0, behaviour="explore_then_commit")),
        "b": (train, replace(of_run, reward=0.25, behaviour="giving_up_early", attempt=1)),
        "c": (replace(train, status=RolloutStatus.FAILED, failure=TIMEOUT), replace(of_run, iteration=2)),
        "d": (evaluated, replace(of_run, iteration=0, task_id=dropped, arm="oapl-1", reward=0.6)),
        "e": (replace(train, role=Role.GENERATOR, purpose=Purpose.SYNTHESIZE), RolloutLinks(run_id=run, iteration=1)),
        "f": (train, RolloutLinks(run_id=other, arm="oapl-1", reward=0.5)),
        "g": (replace(train, question="What did Ilse write? 100%"), RolloutLinks()),
    }
    ids = save_rollouts(session, [(replace(record, key=key), links) for key, (record, links) in made.items()])
    return dict(zip(made, ids, strict=True)) | {"run": run, "other": other, "kept": kept, "dropped": dropped}


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({}, "edcba"),
        ({"iteration": 1}, "eba"),
        ({"purpose": Purpose.TRAIN}, "cba"),
        ({"purpose": Purpose.TRAIN, "iteration": 2, "arm": ""}, "c"),
        ({"role": Role.GENERATOR}, "e"),
        ({"role": Role.SOLVER}, "dcba"),
        ({"arm": "oapl-1"}, "d"),
        ({"task_id": "kept"}, "cba"),
        ({"fate": Fate.KEPT}, "cba"),
        ({"fate": Fate.DUPLICATE}, "d"),
        ({"fate": Fate.MIXED}, ""),
        ({"status": RolloutStatus.FAILED, "failure_kind": FailureKind.TIMEOUT}, "c"),
        ({"failure_kind": FailureKind.ENGINE}, ""),
        ({"behaviour": "giving_up_early"}, "b"),
        ({"lowest": 0.6}, "da"),
        ({"highest": 0.6}, "db"),
        ({"lowest": 0.25, "highest": 0.6}, "db"),
        ({"text": "QUESTION 1"}, "d"),  # of the task, as tests name them
        ({"text": "leads atlas"}, "e"),  # of its own: it is of no task
        ({"fate": Fate.KEPT, "lowest": 0.5, "text": "question 0", "behaviour": "explore_then_commit"}, "a"),
        ({"run_id": "other"}, "f"),
        ({"run_id": None}, "gfedcba"),
        ({"run_id": None, "arm": "oapl-1"}, "fd"),
        ({"run_id": None, "purpose": Purpose.TRAIN, "lowest": 0.5}, "fa"),
        ({"run_id": None, "text": "100%"}, "g"),
        ({"run_id": None, "text": "1_0"}, ""),
        ({"run_id": None, "role": Role.SOLVER, "fate": Fate.DUPLICATE}, "d"),
    ],
)
def test_each_filter_alone_and_together(store: Store, fields: dict[str, Any], keys: str):
    with store.session() as session:
        made = filled(session)
        named = {name: made.get(value, value) if type(value) is str else value for name, value in fields.items()}
        wanted = RolloutFilter(**({"run_id": made["run"]} | named))
        lines = rollout_lines(session, wanted)
        assert "".join(line.key for line in lines) == keys
        assert rollout_total(session, wanted) == len(keys)


def test_a_line_says_what_is_stored(store: Store):
    with store.session() as session:
        made = filled(session)
        line = {line.key: line for line in rollout_lines(session, RolloutFilter())}["b"]
    assert line.rollout_id == made["b"]
    assert (line.reward, line.behaviour, line.attempt) == (0.25, "giving_up_early", 1)
    assert (line.fate, line.status, line.purpose) == (Fate.KEPT, RolloutStatus.FINISHED, Purpose.TRAIN)
    assert (line.step_count, line.search_count, line.answer) == (4, 3, "Mira")


@pytest.mark.parametrize("wanted", [RolloutFilter(), RolloutFilter(lowest=0.0)])
def test_pages_follow_one_another(store: Store, wanted: RolloutFilter):
    with store.session() as session:
        run, _ = a_run(session)
        links = RolloutLinks(run_id=run, reward=0.5)
        save_rollouts(session, [(a_rollout(f"r/{n:02}"), links) for n in range(7)])
        keys, before = list[str](), None
        while page := rollout_lines(session, wanted, before=before, limit=3):
            assert len(page) <= 3
            keys, before = [*keys, *(line.key for line in page)], page[-1].rollout_id
        assert keys == [f"r/{n:02}" for n in reversed(range(7))]
        assert [rollout_total(session, wanted, most=most) for most in (5, 6, 7, 8)] == [6, 7, 7, 7]
        assert newest_rollout_id(session, run) == newest_rollout_id(session, None)
        assert newest_rollout_id(session, run + 1) is None


def test_what_narrows():
    assert not RolloutFilter(run_id=3).narrows
    assert RolloutFilter(run_id=3, arm="").narrows


@pytest.mark.parametrize(
    "wanted",
    [
        RolloutFilter(run_id=1, behaviour="giving_up_early"),
        RolloutFilter(run_id=1, purpose=Purpose.TRAIN, lowest=0.5),
        RolloutFilter(arm="base", status=RolloutStatus.FAILED),
        RolloutFilter(run_id=1, fate=Fate.KEPT),
        RolloutFilter(run_id=1, text="who"),
    ],
)
def test_a_narrowing_filter_reads_one_covering_index(store: Store, wanted: RolloutFilter):
    """Rows are wide: a plan that fetches them takes seconds where there are 100,000."""
    from store.queries.rollout_list import _page

    with store.session() as session:
        filled(session)
        page = _page(wanted, before=50, limit=10)
        sql = page.compile(store.engine, compile_kwargs={"literal_binds": True}).string
        plan = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert plan[0].startswith(("SEARCH rollout USING COVERING INDEX", "SCAN rollout USING COVERING INDEX"))


def test_a_rollout_in_parts(store: Store):
    with store.session() as session:
        (id_,) = save_rollouts(session, [(a_rollout("r"), RolloutLinks())])
        said = {"rollout_id": id_, "kind": "nuggets", "judge": "rule", "labels": ["support"], "score": 1.0}
        save_judgements(session, [Judgement(key="r/nuggets", **said)])
        found = rollout_steps(session, id_)
        assert found is not None and [step.ordinal for step in found.steps] == [0, 1, 2, 3] and found.segments == []
        heads = segment_heads(session, id_)
        assert [(head.ordinal, head.compression, head.tokens, head.trained) for head in heads] == [
            (0, False, 8, 4),
            (1, False, 8, 4),
            (2, True, 8, 4),
        ]
        assert segment_tokens(session, heads[1].segment_id).token_ids.tolist() == [31, 32, 33, 34, 35, 36, 37, 38]
        assert [row.labels for row in judgements_of(session, id_)] == [["support"]]
        assert rollout_steps(session, id_ + 1) is None
        with pytest.raises(KarlError, match="no segment 999"):
            segment_tokens(session, 999)


def test_attempts_of_one_level(store: Store):
    with store.session() as session:
        keys = ("r", "r/solver-1", "r/solver-1/solver-2", "r2/solver-1", "r/solver-2")
        save_rollouts(session, [(a_rollout(key), RolloutLinks()) for key in keys])
        assert [attempt.key for attempt in attempts_under(session, "r")] == ["r/solver-1", "r/solver-2"]


def test_behaviours_are_filled_in_page_by_page(store: Store):
    with store.session() as session:
        run, _ = a_run(session)
        judged = RolloutLinks(run_id=run, reward=0.5)
        failed = a_rollout("failed", status=RolloutStatus.FAILED, failure=TIMEOUT)
        made = [
            *((a_rollout(f"r/{n}"), judged) for n in range(3)),
            (a_rollout("unjudged"), replace(judged, reward=None)),
        ]
        ids = save_rollouts(session, [*made, (failed, replace(judged, reward=None))])
        first = unclassified(session, run, size=2)
        assert [one.record.key for one in first] == ["r/0", "r/1"]
        assert [len(one.record.steps) for one in first] == [4, 4]
        assert [one.record.key for one in unclassified(session, run, after=first[-1].rollout_id)] == ["r/2"]
        set_behaviours(session, {ids[0]: "giving_up_early", ids[2]: "unclassified", 999: "nobody"})
        assert [one.rollout_id for one in unclassified(session, run)] == [ids[1]]
        set_rewards(session, {ids[2]: 1.0})  # another verdict may make another class
        assert [one.rollout_id for one in unclassified(session, run)] == ids[1:3]
