"""Systems of others under `karl eval`: functions that fail, hang, end themselves, or are edited between two calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import karl
from evals.report.document import EvaluationDocument
from tests.karl.eval_kit import make_home, rollouts, write_questions
from tests.karl.loop_kit import LEADERS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_home(tmp_path)


def measure(home: Path, function: Callable[[str], Any], **options: Any) -> EvaluationDocument:
    given: dict[str, Any] = {"questions": home.parent / "questions.jsonl", "samples": 1, **options}
    return karl.evaluate(function, corpus="notes", home=home, **given)


def number(question: str) -> int:
    return int(question.rpartition("product")[2].rstrip("?"))


def leader(question: str) -> str:
    return f"person{number(question)}"


def test_many_that_fail_for_good_do_not_cost_the_others_their_figures(home: Path) -> None:
    lines = [{"key": product, "question": f"who leads {product}?", "answer": who} for product, who in LEADERS.items()]
    write_questions(home.parent / "all.jsonl", *lines)

    def odd(question: str) -> str:
        if number(question) % 2:
            raise ValueError("too long for me")
        return leader(question)

    # Tried again by themselves, 60 fail in a row: more than stop what nobody has tried yet.
    for _ in range(2):
        found = measure(home, odd, questions=home.parent / "all.jsonl", samples=4)
        task = found.systems[0].figures.tasks["custom"]
        assert (task.scored, task.failed) == (60, 60)
        assert task.score is not None and task.score.mean == 1.0


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (StopIteration(), "StopIteration: next() of something empty?"),
        (SystemExit("bye"), "called sys.exit(bye)"),
        (asyncio.CancelledError(), "something in it was cancelled"),
    ],
)
def test_what_no_loop_can_carry_is_a_failed_row(home: Path, raised: BaseException, reason: str) -> None:
    def ends(question: str) -> str:
        if number(question) == 1:
            raise raised
        return leader(question)

    async def ends_too(question: str) -> str:
        return ends(question)

    for function in (ends, *([ends_too] if not isinstance(raised, StopIteration) else [])):
        figures = measure(home, function).systems[0].figures
        assert figures.tasks["custom"].failed == 1
        assert [reason in said for said in figures.failures] == [True]


def test_a_call_that_hangs_is_given_up_after_the_timeout(home: Path) -> None:
    never = threading.Event()

    def hangs(question: str) -> str:
        if number(question) == 1:
            never.wait()
        return leader(question)

    figures = measure(home, hangs, timeout=0.3).systems[0].figures
    never.set()
    ((reason, count),) = figures.failures.items()
    assert reason.startswith("timeout: ") and reason.endswith(".hangs: timed out") and count == 1
    assert figures.tasks["custom"].scored == 2


def test_an_edited_function_of_the_same_name_is_asked_anew(home: Path) -> None:
    def make(prefix: str) -> Callable[[str], str]:
        def answer(question: str) -> str:
            return f"{prefix}{number(question)}"

        return answer

    first, same, other = (measure(home, make(prefix)) for prefix in ("person", "person", "nobody"))
    assert first.sha256 == same.sha256 and first.name == other.name and len(rollouts(home)) == 6
    assert [one.systems[0].figures.score.mean for one in (first, other) if one.systems[0].figures.score] == [1.0, 0.0]
    assert len(first.systems[0].entry.sha256) == 64 and "~" in other.systems[0].entry.name


def test_what_is_answered_is_stored_before_the_next_are_asked(home: Path) -> None:
    stored: list[int] = []

    def counts(question: str) -> str:
        stored.append(len(rollouts(home)))
        return leader(question)

    measure(home, counts, samples=2, concurrency=1)
    assert stored == [0, 1, 2, 3, 4, 5]


def test_text_that_no_database_takes_is_replaced_and_absurd_counts_are_refused(home: Path) -> None:
    def odd(question: str) -> dict[str, Any]:
        return {"answer": f"{leader(question)} \ud800\0", "usage": {"input_tokens": 10**30 * (number(question) == 1)}}

    found = measure(home, odd)
    answers = [question.systems[found.systems[0].entry.name][0].answer for question in found.questions]
    assert answers == ["person0 \ufffd\ufffd", "", "person2 \ufffd\ufffd"]
    assert [f"returned usage of {10**30} tokens" in said for said in found.systems[0].figures.failures] == [True]


def test_half_a_count_of_tokens_is_none(home: Path) -> None:
    def tells(question: str) -> dict[str, Any]:
        return {"answer": leader(question), "usage": {"input_tokens": 10}}

    assert measure(home, tells).systems[0].figures.pareto.tokens_per_query is None


def test_a_temperature_that_a_function_was_not_told_is_said(home: Path) -> None:
    assert measure(home, leader, temperature=0.5).notes == (
        "leader: a function of the question alone; it was not told the temperature",
    )
