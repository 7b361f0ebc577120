"""Candidates, fates, judgements, the funnel."""

from __future__ import annotations

import pytest

from store.errors import KarlError
from store.models import Judgement, Task
from store.queries import (
    RolloutLinks,
    funnel,
    save_candidates,
    save_judgements,
    save_rollouts,
    set_fate,
    task_keys,
    tasks_by_fate,
)
from store.session import Store
from store.types import CandidateRecord, Fate
from tests.store.records import a_rollout, a_run, some_tasks

CANDIDATES = [
    CandidateRecord("Who?", "Mira", ["Mira"], [1]),
    CandidateRecord("", "", [], [], text="gibberish", problem="no question"),
]


def test_candidates_become_tasks_once(store: Store) -> None:
    with store.session() as session:
        run_id, corpus_id = a_run(session)
        (rollout_id,) = save_rollouts(session, [(a_rollout("g/1"), RolloutLinks(run_id=run_id))])
        places = {"rollout_id": rollout_id, "key": "g/1", "run_id": run_id, "iteration": 1, "corpus_id": corpus_id}
        ids = save_candidates(session, CANDIDATES, **places)
        set_fate(session, ids[0], fate=Fate.DEDUPLICATED)
        assert save_candidates(session, CANDIDATES, **places) == ids
        assert task_keys(session, run_id) == {"g/1#0", "g/1#1"}
        (malformed,) = tasks_by_fate(session, run_id, fates=Fate.MALFORMED)
        assert (malformed.reason, malformed.text, malformed.generator_rollout_id) == (
            "no question",
            "gibberish",
            rollout_id,
        )
        (good,) = tasks_by_fate(session, run_id, fates=[Fate.DEDUPLICATED, Fate.KEPT], iteration=1)
        assert (good.question, good.nuggets, good.citations) == ("Who?", ["Mira"], [1])


def test_a_fate_shows_in_a_row_already_loaded(store: Store) -> None:
    with store.session() as session:
        run_id, corpus_id = a_run(session)
        (task_id,) = some_tasks(session, run_id=run_id, corpus_id=corpus_id, fates=[Fate.MIXED])
        task = session.get(Task, task_id)
        assert task is not None
        set_fate(session, task_id, fate=Fate.INVALID, reason="ambiguous", pass_rate=0.5)
        set_fate(session, task_id, fate=Fate.KEPT)
        assert (task.fate, task.reason, task.pass_rate) == (Fate.KEPT, "", 0.5)
        with pytest.raises(KarlError, match="no task 99"):
            set_fate(session, 99, fate=Fate.KEPT)


def test_funnel_counts_everything_that_got_at_least_that_far(store: Store) -> None:
    fates = [
        *[Fate.MALFORMED] * 3,
        *[Fate.DUPLICATE] * 2,
        Fate.PROPOSED,
        Fate.DEDUPLICATED,
        Fate.INCOMPLETE,
        *[Fate.ALL_CORRECT] * 2,
        Fate.ALL_WRONG,
        Fate.MIXED,
        Fate.INVALID,
        *[Fate.KEPT] * 4,
        Fate.HELD_OUT,
    ]
    with store.session() as session:
        run_id, corpus_id = a_run(session)
        some_tasks(session, run_id=run_id, corpus_id=corpus_id, fates=fates)
        found = funnel(session, run_id, iteration=1)
        assert list(found.counts.items()) == [
            ("proposed", 17),
            ("well_formed", 14),
            ("deduplicated", 11),
            ("rolled_out", 9),
            ("mixed", 6),
            ("kept", 4),
        ]
        assert found.dropped == {
            "malformed": 3,
            "duplicate": 2,
            "incomplete": 1,
            "all_correct": 2,
            "all_wrong": 1,
            "invalid": 1,
        }
        assert found.reasons["malformed"] == {"because malformed": 3}
        assert set(funnel(session, run_id, iteration=2).counts.values()) == {0}


def test_judgements_are_kept_by_key(store: Store) -> None:
    with store.session() as session:
        (rollout_id,) = save_rollouts(session, [(a_rollout("r/1"), RolloutLinks())])
        first = Judgement(key="j", rollout_id=rollout_id, kind="nuggets", judge="rule", labels=["support"], score=1.0)
        again = Judgement(key="j", rollout_id=rollout_id, kind="nuggets", judge="rule", labels=[], score=0.0)
        ids = save_judgements(session, [first])
        assert save_judgements(session, [again]) == ids
        stored = session.get(Judgement, ids[0])
        assert stored is not None
        assert (stored.score, stored.labels) == (1.0, ["support"])
