"""Time to the first answer token by known timings, and the variance by level."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.latency import Known, Spent, first_answer, latency_figures, spent_of, variance_by_level
from store.types import RolloutRecord, RolloutStatus
from tests.evals.behaviour_kit import answer, rollout, search


def timed(**changes: object) -> RolloutRecord:
    """Two searches of 0.5 s sampling and 0.25 s tool, an answer turn of 1 s, 0.1 s of the harness."""
    text = "Ilse" + " " * 2  # nothing but place: the answer begins in the middle of the turn's text
    closing = replace(answer("Ilse"), text=text.replace("Ilse", "abcdIlse").strip())
    facts: dict[str, object] = {"answer": "Ilse", "seconds": 2.6}
    return replace(rollout(search("a"), search("b"), closing), **(facts | changes))  # type: ignore[arg-type]


def test_the_parts_add_up() -> None:
    spent = spent_of(timed())
    assert spent == pytest.approx(Spent(llm=2.0, tool=0.5, overhead=0.1, queued=0.0))
    assert spent.total == pytest.approx(2.6)


def test_the_answer_begins_inside_its_turn() -> None:
    found = first_answer(timed())
    assert found.known is Known.PLACED
    assert found.seconds == pytest.approx(2.1)  # half of the answer's turn of a second is after it
    assert found.spent == pytest.approx(Spent(1.5, 0.5, 0.1, 0.0))


def test_an_answer_that_is_not_in_the_text_comes_at_the_end_of_its_turn() -> None:
    assert first_answer(timed(answer="Farid")).seconds == pytest.approx(2.6)


def test_a_measured_moment_wins() -> None:
    found = first_answer(timed(), measured=1.8)
    assert (found.known, found.seconds) == (Known.MEASURED, pytest.approx(1.8))
    assert found.spent == pytest.approx(Spent(1.2, 0.5, 0.1, 0.0))
    with pytest.raises(ValueError, match=r"took 2.600 s; its answer can't begin at 3.0 s"):
        first_answer(timed(), measured=3.0)


def test_an_exhausted_budget_counts_from_end_to_end() -> None:
    found = first_answer(rollout(search("a"), search("b"), seconds=1.75))
    assert (found.known, found.seconds) == (Known.END_TO_END, pytest.approx(1.75))
    assert found.spent.overhead == pytest.approx(0.25)
    with pytest.raises(ValueError, match="failed by its environment"):
        first_answer(timed(status=RolloutStatus.FAILED))


def test_of_attempts_side_by_side_the_last_to_end_counts() -> None:
    quick = rollout(search("a"), answer("x"), key="r/solver-0", seconds=1.8)
    slow = rollout(search("a", policy_seconds=2.5), answer("x"), key="r/solver-1", seconds=3.85, queued=0.5)
    both = rollout(answer("x"), seconds=5.5, attempts=[quick, slow])
    # The slow attempt samples 3.5 s, after half a second in the queue; then the answer takes one.
    assert spent_of(both) == pytest.approx(Spent(4.5, 0.25, 0.25, 0.5))
    assert spent_of(both).total == pytest.approx(5.5)


@given(st.lists(st.floats(0.001, 2), min_size=1, max_size=6), st.floats(0, 1))
def test_parts_sum_to_the_time_to_the_answer(turns: list[float], overhead: float) -> None:
    steps = [search("a", policy_seconds=seconds) for seconds in turns]
    record = rollout(*steps, answer("Ilse", said="so "), seconds=sum(turns) + 0.25 * len(turns) + 1.0 + overhead)
    found = first_answer(record)
    assert found.spent.total == pytest.approx(found.seconds)
    assert 0 <= found.seconds <= record.seconds + 1e-9


def test_figures_of_two_questions() -> None:
    exhausted = first_answer(rollout(search("a"), seconds=1.0))
    figures = latency_figures({"a": [first_answer(timed()), exhausted], "b": [exhausted]})
    assert figures["known"] == {"measured": 0, "placed": 1, "end_to_end": 2}
    assert figures["seconds"]["ttfat"]["most"] == 2.1
    assert figures["seconds"]["tool"]["p50"] == 0.25
    assert latency_figures({})["seconds"]["ttfat"] is None


def test_variance_between_and_within_by_hand() -> None:
    # Means 2 and 6, within 2 each; among = 2 * (2 - 4)^2 * 2 / 1 = 16; between = (16 - 2) / 2.
    assert variance_by_level({"a": [1, 3], "b": [5, 7]}) == pytest.approx((7.0, 2.0))
    assert variance_by_level({"a": [1, 1], "b": [3, 3]}) == pytest.approx((2.0, 0.0))
    same = variance_by_level({"a": [1, 3], "b": [1, 3]})
    assert same is not None and same.between == 0.0 and same.share_between == 0.0
    flat = variance_by_level({"a": [1, 1], "b": [1, 1]})
    assert flat is not None and flat.share_between is None


def test_levels_that_cannot_be_told_apart_are_not_given() -> None:
    assert variance_by_level({"a": [1, 3]}) is None
    assert variance_by_level({"a": [1], "b": [2], "c": []}) is None


def test_unequal_generations_still_find_the_true_variances() -> None:
    rng = random.Random(0)
    groups = {}
    for question in range(600):
        mean = rng.gauss(10, 3)
        groups[str(question)] = [rng.gauss(mean, 2) for _ in range(rng.randint(1, 6))]
    found = variance_by_level(groups)
    assert found is not None
    assert found.between == pytest.approx(9, rel=0.15) and found.within == pytest.approx(4, rel=0.15)
