"""Graded generations to figures: known numbers of means, failures, costs and scores by rule; the document is closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.judging import Label
from evals.cost import Spender, TokenUse
from evals.items import EvalItem, Nugget
from evals.prices import Price, PriceTable
from evals.report.document import VERSION, parse_document, read_document
from evals.report.figures import comparison, system_figures
from evals.report.grading import Asked, Graded, Verdict, cited_keys, grade, names_of
from evals.scoring.completion import completion
from evals.tasks.spec import Metric
from store.errors import UsageError
from store.types import Failure, FailureKind, RolloutRecord, RolloutStatus, StepRecord, ToolCallRecord
from tests.evals.behaviour_kit import answer, rollout, search

NAMES = {1: names_of("pdfs/ACME.pdf#3", 4), 2: names_of("notes/mira.md#0", None), 3: names_of("pdfs/ACME.pdf#0", 1)}


def asked(key: str = "q", *, metric: Metric = Metric.NUGGETS, split: str = "test", **changes: object) -> Asked:
    values = {"key": key, "question": "?", "reference": "Ilse", "nuggets": (Nugget(text="Ilse"),), "split": split}
    return Asked("task", metric, EvalItem.model_validate({**values, **changes}))


def graded(record: RolloutRecord, question: Asked, *labels: Label, attempt: int = 0) -> Graded:
    verdict = (
        Verdict(completion(labels, judge="rule"), "said so", TokenUse("j", Spender.JUDGE, 40, 2)) if labels else None
    )
    return Graded(grade(record, question, attempt=attempt, names=NAMES, external=False), verdict)


RIGHT = rollout(search("Atlas", hits=(1,)), search("Ilse", hits=(2,)), answer("Ilse"))
FAILED = replace(RIGHT, status=RolloutStatus.FAILED, answer="", failure=Failure(FailureKind.ENGINE, "gone"))
CUT = replace(RIGHT, status=RolloutStatus.UNFINISHED, answer="", failure=Failure(FailureKind.BUDGET, "no answer"))


def figures(*own: Graded, prices: PriceTable | None = None, samples: int = 2):
    return system_figures(
        own, tasks=["task"], samples=samples, threshold=0.6, prices=prices or PriceTable(), behaviour=None
    )


def test_means_are_of_questions_then_splits_and_the_curve_is_unbiased() -> None:
    a, b, c = asked("a", split="x"), asked("b", split="x"), asked("c", split="y")
    found = figures(
        graded(RIGHT, a, "support"),
        graded(RIGHT, a, "not_support", attempt=1),
        graded(RIGHT, b, "not_support"),
        graded(FAILED, b, attempt=1),
        graded(RIGHT, c, "support", "partial_support"),
        graded(CUT, c, attempt=1),
    )
    task = found.tasks["task"]
    assert (task.generations, task.scored, task.failed, task.unjudged, task.unfinished) == (6, 5, 1, 0, 1)
    # x: mean of 0.5 and 0; y: mean of 0.5 and an unfinished 0.
    assert {split: one.score.mean for split, one in task.splits.items() if one.score} == {"x": 0.25, "y": 0.25}
    assert task.score and task.score.mean == 0.25 and found.score == task.score
    assert task.half_credit and task.half_credit.mean == pytest.approx((0.25 + 0.375) / 2, abs=1e-4)
    assert task.pass_at_1 and task.pass_at_1.mean == 0.125  # of y nothing reaches 0.6
    points = {point.k: (point.score.mean, point.questions) for point in task.curve}
    assert points == {1: (pytest.approx(0.25, abs=1e-4), 3), 2: (0.75, 2)}
    assert {point.k: point.score.mean for point in task.passes} == {1: 0.125, 2: 0.5}  # of x one of two, of y none
    assert found.failures == {"engine: gone": 1, "budget: no answer": 1}


def test_an_answer_that_was_not_judged_has_no_score_and_is_counted() -> None:
    lost = Graded(graded(RIGHT, asked(), "support").made, Verdict(None, "judge: gone home"))
    found = figures(lost)
    assert (found.tasks["task"].unjudged, found.tasks["task"].score, found.score) == (1, None, None)
    assert found.failures == {"judge: gone home": 1} and found.pareto.score is None


def test_cost_is_the_systems_own_and_unknown_without_a_price() -> None:
    own = graded(RIGHT, asked(), "support")
    read, written = (sum(getattr(use, name) for use in own.made.uses or ()) for name in ("input", "output"))
    prices = PriceTable(models={own.made.model: Price(input=1e6, output=2e6), "j": Price(input=1e6, output=0.0)})
    found = figures(own, prices=prices)
    assert found.cost.usd_per_query and found.cost.usd_per_query.mean == pytest.approx(read + 2 * written, rel=1e-3)
    assert found.judging.usd_per_query and found.judging.usd_per_query.mean == 40.0
    assert found.pareto.tokens_per_query == read + written
    assert figures(own).cost.usd_per_query is None and figures(own).cost.unpriced == (own.made.model,)
    uncounted = Graded(replace(own.made, uses=None), own.verdict)
    assert figures(uncounted, own, prices=prices).pareto.tokens_per_query is None
    assert figures(uncounted, own, prices=prices).cost.usd_per_query is None


def test_scores_by_rule_stand_where_they_are_defined() -> None:
    record = replace(RIGHT, citations=[1, 3])
    with_gold = grade(record, asked(gold=("ACME#4", "mira")), attempt=0, names=NAMES, external=False)
    assert with_gold.others == {
        **{"citation_precision": 0.5, "citation_recall": 0.5},
        **{"retrieval_recall": 1.0, "retrieval_full": 1.0},
    }
    assert with_gold.citations == ("ACME#4", "pdfs/ACME.pdf#1")
    assert grade(record, asked(), attempt=0, names=NAMES, external=False).others == {}
    numbers = asked(metric=Metric.NUMERIC, reference="$1577.00", question="What is it in USD millions?")
    said = replace(RIGHT, answer="USD 1,577 million")
    assert grade(said, numbers, attempt=0, names=NAMES, external=False).others == {"numeric": 1.0}
    two = asked(metric=Metric.ENTITIES, nuggets=(Nugget(text="Ada", aliases=("Countess",)), Nugget(text="Zoe")))
    listed = grade(replace(RIGHT, answer="the Countess, Bob"), two, attempt=0, names=NAMES, external=False).others
    assert (listed["entity_precision"], listed["entity_recall"], listed["entity_f1>=0.5"]) == (0.5, 0.5, 1.0)
    assert grade(FAILED, two, attempt=0, names=NAMES, external=False).others == {}


def test_nothing_cited_has_no_precision_and_who_cannot_cite_no_citation_score() -> None:
    evidence = asked(gold=("mira",))
    silent = replace(RIGHT, citations=[])
    ours = grade(silent, evidence, attempt=0, names=NAMES, external=False).others
    assert "citation_precision" not in ours and ours["citation_recall"] == 0.0
    assert grade(silent, evidence, attempt=0, names=NAMES, external=True).others == {}
    step = replace(RIGHT.steps[-1], calls=[ToolCallRecord(tool="cite", arguments={"keys": []})])
    none = grade(replace(silent, steps=[step]), evidence, attempt=0, names=NAMES, external=True).others
    assert none == {"citation_recall": 0.0}


def test_scores_by_rule_are_averaged_as_the_score_is() -> None:
    """By split: two questions of x at 1 and 0, one of y at 1."""
    places = [asked(key, split=split, gold=("mira",)) for key, split in (("a", "x"), ("b", "x"), ("c", "y"))]
    cites = [replace(RIGHT, citations=citations) for citations in ([2], [], [2])]
    found = figures(*(graded(record, place, "support") for record, place in zip(cites, places, strict=True)))
    task = found.tasks["task"]
    assert (task.others["citation_recall"].mean, task.others["citation_precision"].mean) == (0.75, 1.0)
    assert (task.others_questions["citation_recall"], task.others_questions["citation_precision"]) == (3, 2)


def test_keys_that_a_system_named_itself_are_taken_as_they_are() -> None:
    call = ToolCallRecord(tool="cite", arguments={"keys": ["a.md", "a.md", "b.md"]})
    step: StepRecord = replace(RIGHT.steps[-1], calls=[call])
    assert cited_keys(replace(RIGHT, steps=[step]), NAMES, gold=()) == ("a.md", "b.md")
    assert cited_keys(replace(RIGHT, citations=[2, 9]), NAMES, gold=()) == ("notes/mira.md", "chunk 9")


def test_a_system_that_answers_by_itself_is_timed_to_its_end() -> None:
    found = grade(RIGHT, asked(), attempt=0, names=NAMES, external=True)
    assert found.first is not None and found.first.known == "end_to_end"
    assert grade(FAILED, asked(), attempt=0, names=NAMES, external=True).first is None


def test_systems_are_compared_on_questions_that_both_answered() -> None:
    a, b = asked("a"), asked("b")
    ours = [graded(RIGHT, a, "support"), graded(FAILED, b)]
    theirs = [graded(RIGHT, a, "not_support"), graded(RIGHT, b, "support")]
    found = comparison(("ours", ours), ("theirs", theirs), threshold=0.6)
    assert found is not None
    assert (found.difference.mean, found.wins, found.unpaired) == (1.0, 1, 1)
    assert comparison(("ours", ours[1:]), ("theirs", theirs), threshold=0.6) is None


def test_a_document_of_another_version_or_with_another_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"x: version: 2; this karl reads {VERSION}"):
        parse_document('{"version": 2}', where="x")
    with pytest.raises(UsageError, match="x: name: Field required; a document is what `karl eval --json` prints"):
        parse_document('{"version": 1}', where="x")
    with pytest.raises(UsageError, match="x: document: Invalid JSON"):
        parse_document("{", where="x")
    with pytest.raises(UsageError, match=r"none\.json: cannot read the evaluation"):
        read_document(tmp_path / "none.json")
