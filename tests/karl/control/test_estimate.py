"""How many rollouts a run makes, and what is reckoned from an earlier one."""

from __future__ import annotations

import pytest

from evals.prices import Price, PriceTable
from karl.control.estimate import earlier, estimate, rollouts_of
from karl.run_config import make_config
from store.queries import Pace, Spent
from store.session import Store
from store.types import Role, Stage
from tests.karl.control.control_kit import add_corpus, add_earlier_run

STAGES = ("iteration", "synthesize", "deduplicate", "solve", "filter", "check_quality", "snapshot", "train", "evaluate")
FREE = PriceTable()
ROLLOUTS = {"synthesize": 10, "solve": 30, "evaluate": 5}


def counts(stages: tuple[str, ...] = STAGES, asked: int | None = None, **settings: object) -> dict[str, int]:
    return rollouts_of(make_config({"corpus": "n", **settings}), stages=stages, asked=asked, epochs=3)


def test_the_demo_makes_as_many_as_it_did():
    """18,000 in a run of the defaults, with a questions file of 150 or more: counted in the demo's own store."""
    assert counts(asked=150) == {"synthesize": 2_000, "solve": 6_400, "evaluate": 9_600}


def test_questions_of_ones_own_corpus_are_written_first():
    found = counts(iterations=1, held_out=10, eval_samples=2, eval_temperatures=[], sft_control=False)
    # The base and one trained policy, ten questions, two rollouts each.
    assert found == {"hold out": 20, "synthesize": 1_000, "solve": 3_200, "evaluate": 40}


def test_fewer_questions_than_may_be_held_out():
    assert counts(asked=7, iterations=1, eval_samples=1, eval_temperatures=[], sft_control=False)["evaluate"] == 14


def test_validation_goes_by_epochs_and_both_trainings():
    assert counts(asked=1, validation_questions=5, validation_samples=2)["validate"] == 2 * 2 * 3 * 5 * 2


def test_stages_that_were_taken_out_make_none():
    found = counts(("synthesize", "solve"), asked=10, iterations=1, eval_samples=1, eval_temperatures=[])
    assert found == {"synthesize": 1_000, "solve": 3_200, "evaluate": 10}  # the base alone


def test_an_earlier_run_of_the_same_policy(store: Store):
    config = make_config({"corpus": "notes"})
    with store.session() as session:
        corpus = add_corpus(session)
        add_earlier_run(session, corpus, {"recipe": "tiny"}, name="tiny-1")
        add_earlier_run(session, corpus, {"recipe": "sft"}, name="other-recipe-1")
        assert earlier(session, config, model="another") is None
        found = earlier(session, config, model="tiny")
    assert found is not None
    assert found.run == "tiny-1"  # the newer one trains otherwise
    assert found.spent == {Role.GENERATOR: Spent(30.0, 14.0), Role.SOLVER: Spent(30.0, 14.0)}
    # Six seconds a stage: two generator rollouts, six attempts, three evaluated; those at 0.5 are not in its seconds.
    assert found.seconds == {
        Stage.SYNTHESIZE: 3.0,
        Stage.DEDUPLICATE: 3.0,
        Stage.SOLVE: 1.0,
        Stage.FILTER: 1.0,
        Stage.TRAIN: 1.0,
        Stage.EVALUATE: 2.0,
    }


PACE = Pace("notes-1", {role: Spent(30.0, 12.0) for role in (Role.GENERATOR, Role.SOLVER)}, dict.fromkeys(Stage, 2.0))


def test_tokens_time_and_cost_are_reckoned():
    prices = PriceTable(models={"tiny": Price(input=1.0, output=10.0)})
    found = estimate(ROLLOUTS, PACE, model="tiny", prices=prices)
    assert (found.total, found.read, found.sampled, found.like) == (45, 1_350, 540, "notes-1")
    # Questions are written and compared, attempts made, judged and trained on, answers evaluated.
    assert found.seconds == 2.0 * (10 + 10 + 30 + 30 + 30 + 5)
    assert found.usd == pytest.approx((1_350 + 5_400) / 1e6)


def test_what_nobody_knows_is_not_made_up():
    alone = estimate(ROLLOUTS, None, model="tiny", prices=FREE)
    assert (alone.read, alone.sampled, alone.seconds, alone.usd, alone.like) == (None,) * 5
    unpriced = estimate(ROLLOUTS, PACE, model="tiny", prices=FREE)
    assert (unpriced.usd, unpriced.priced, unpriced.read) == (None, False, 1_350)
    old = PACE._replace(spent=dict.fromkeys(PACE.spent, Spent(None, 12.0)))
    prices = PriceTable(models={"tiny": Price(input=1.0, output=10.0)})
    before = estimate(ROLLOUTS, old, model="tiny", prices=prices)
    assert (before.read, before.sampled, before.usd, before.priced) == (None, 540, None, True)
    untrained = PACE._replace(seconds={Stage.SYNTHESIZE: 1.0})
    assert estimate(ROLLOUTS, untrained, model="tiny", prices=FREE).seconds is None
