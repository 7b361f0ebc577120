"""The filter in words: what is understood, what is refused with which reason, what is suggested."""

from __future__ import annotations

import math

import pytest

from store.errors import UsageError
from store.queries import RolloutFilter
from store.types import FailureKind, Fate, Purpose, Role, RolloutStatus
from tui.filter_words import Known, completions, filter_text, parse_filter

KNOWN = Known(
    arms=["base", "oapl-1"],
    runs={"notes-1": 1, "filings-1": 2},
    behaviours=["giving_up_early", "explore_then_commit"],
)


def read(words: str) -> RolloutFilter:
    return parse_filter(words, run_id=1, known=KNOWN)


def test_every_column_and_free_words():
    words = (
        "who score>=0.6 behaviour:giving_up_early arm:oapl-1 fate:kept status:failed kind:timeout iter:2 purpose:train "
        "role:solver task:7 wrote"
    )
    assert read(words) == RolloutFilter(
        run_id=1,
        iteration=2,
        purpose=Purpose.TRAIN,
        role=Role.SOLVER,
        arm="oapl-1",
        task_id=7,
        fate=Fate.KEPT,
        status=RolloutStatus.FAILED,
        failure_kind=FailureKind.TIMEOUT,
        behaviour="giving_up_early",
        lowest=0.6,
        text="who wrote",
    )


@pytest.mark.parametrize(
    ("words", "lowest", "highest"),
    [
        ("score<=0.5", None, 0.5),
        ("score:0.25..0.5", 0.25, 0.5),
        ("score=1", 1.0, 1.0),
        ("score>0.5", math.nextafter(0.5, 1), None),
        ("score<0.5", None, math.nextafter(0.5, 0)),
        ("score>0 score<=0.5", math.nextafter(0.0, 1), 0.5),
    ],
)
def test_scores(words: str, lowest: float | None, highest: float | None):
    assert (read(words).lowest, read(words).highest) == (lowest, highest)


@pytest.mark.parametrize(
    ("words", "text"),
    [('"fate: sealed" today', "fate: sealed today"), ('"ratio 3:1"', "ratio 3:1"), ("", ""), ("  a   b ", "a b")],
)
def test_quotes_keep_text(words: str, text: str):
    assert read(words) == RolloutFilter(run_id=1, text=text)


def test_runs():
    assert read("run:all") == RolloutFilter()
    assert read("run:filings-1") == RolloutFilter(run_id=2)
    assert read('arm:""') == RolloutFilter(run_id=1, arm="")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("fat:kept", "no column 'fat'; did you mean 'fate'?"),
        ("colour:red", "no column 'colour'; there are: score, behaviour"),
        ("fate:keep", "no fate 'keep'; did you mean 'kept'?"),
        ("fate:", "fate: needs a value: proposed, malformed"),
        ("behaviour:lazy", "no behaviour 'lazy'; there are: giving_up_early, explore_then_commit"),
        ("score>=high", "score: 'high' is no number; write score>=0.6 or score:0.2..0.6"),
        ("iter>2", "iter>2: only scores are compared; write iter:2"),
        ("iter:two", "iter: 'two' is no number"),
        ("run:notes-2", "no run 'notes-2'; did you mean 'notes-1'"),
    ],
)
def test_what_is_not_understood(words: str, reason: str):
    with pytest.raises(UsageError) as raised:
        read(words)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    "words",
    [
        "fate:kept status:failed kind:timeout purpose:train role:solver behaviour:giving_up_early arm:oapl-1 iter:2 "
        "task:7 score>=0.6 score<=0.9 who",
        'arm:"" "who wrote"',
        "run:all",
        "run:filings-1",
        '"ratio 3:1"',
        "score>0.5",
    ],
)
def test_a_filter_as_words_is_the_same_filter(words: str):
    assert read(filter_text(read(words), run_id=1, known=KNOWN)) == read(words)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("be", ["behaviour:"]),
        ("fate:kept s", ["score", "status:"]),
        ("status:f", ["status:finished", "status:failed"]),
        ("arm:", ["arm:base", "arm:oapl-1"]),
        ("run:a", ["run:all"]),
        ("score>", []),
        ("", []),
        ("kept ", []),
    ],
)
def test_completions_of_the_last_word(words: str, found: list[str]):
    assert completions(words, known=KNOWN) == found
