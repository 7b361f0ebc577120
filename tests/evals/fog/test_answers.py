"""Every answer is found anew in the written files, by a reader that shares nothing with the generator."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.rule_judge import RuleJudge
from evals.fog.make import Fog, make_fog
from evals.fog.settings import fog_settings
from evals.fog.writing import write_documents
from evals.items import EvalItem
from tests.evals.fog import reader


class Case(NamedTuple):
    fog: Fog
    reading: reader.Reading

    def items(self, regime: str) -> list[EvalItem]:
        return [item for item in self.fog.items if item.kind == regime]


@pytest.fixture(scope="module", params=[(1, 11), (2, 12), (3, 13)], ids=lambda p: f"hops{p[0]}")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    hops, seed = request.param
    fog = make_fog(fog_settings({"seed": seed, "hops": hops, "size": 500, "questions": 6, "conflicts": 0.6}))
    folder: Path = tmp_path_factory.mktemp("fog")
    assert write_documents(fog, folder) == 500
    assert all(count == 6 for count in fog.counts.values()), (fog.counts, fog.rejected)
    yield Case(fog, reader.read(folder))


def test_one_customer_meets_a_search(case: Case) -> None:
    for item in case.items("entity_search"):
        assert reader.matching(case.reading, item.question) == {item.reference}, item.question


def test_near_misses_share_all_constraints_but_one(case: Case) -> None:
    """In turn another one: with three of both, every constraint is missed by someone."""
    for item in case.items("entity_search"):
        assert len(reader.conditions(item.question)) == 3, item.question
        single = [failed[0] for failed in reader.missed(case.reading, item.question).values() if len(failed) == 1]
        assert {relations[0] for relations, _ in reader.conditions(item.question)} <= set(single), item.question


def test_a_list_is_complete_and_holds_no_other(case: Case) -> None:
    for item in case.items("entity_lists"):
        listed = [nugget.text for nugget in item.nuggets]
        assert len(set(listed)) == 5
        assert reader.matching(case.reading, item.question) == set(listed), item.question
        failed = reader.missed(case.reading, item.question).values()
        assert sum(one == ["plan"] for one in failed) >= 3  # use the product on another plan


def test_other_names_are_those_of_the_documents(case: Case) -> None:
    named = {nugget.text: nugget.aliases for item in case.items("entity_lists") for nugget in item.nuggets}
    known = {full: other for other, full in case.reading.full_name.items()}
    assert any(named.values())
    for customer, aliases in named.items():
        assert aliases == ((known[customer],) if customer in known else ())


def test_reports_say_what_the_newest_documents_say(case: Case) -> None:
    for item in case.items("report_synthesis"):
        values = [nugget.aliases[0] for nugget in item.nuggets]
        assert reader.report(case.reading, item.question) == values, item.question
        assert all(nugget.aliases[0] in nugget.text for nugget in item.nuggets)


def test_figures_are_calculated_from_the_newest_tables(case: Case) -> None:
    for item in case.items("tabular_arithmetic"):
        result, text = reader.arithmetic(case.reading, item.question), item.reference
        if text.endswith("%"):
            assert abs(result - Fraction(text[:-1])) <= Fraction(1, 20), item.question
        else:
            amount, unit, _ = text.split()
            assert unit == "thousand"
            assert result == 1000 * Fraction(amount.replace(",", "")), item.question
            assert item.nuggets[0].aliases[1].split()[0] == str(result)


def test_steps_are_those_in_force_in_order(case: Case) -> None:
    for item in case.items("procedures"):
        steps = [nugget.text.partition(": ")[2] for nugget in item.nuggets]
        assert reader.steps(case.reading, item.question) == steps, item.question
        assert len(steps) == 5 + 2 * (case.fog.settings.hops - 1)


def test_actions_are_all_that_the_person_took_on(case: Case) -> None:
    for item in case.items("meeting_notes"):
        listed = {nugget.text for nugget in item.nuggets}
        assert len(listed) == 5
        assert reader.actions(case.reading, item.question) == listed, item.question


def test_no_question_contains_its_answer(case: Case) -> None:
    for item in case.fog.items:
        for text in (item.reference, *(t for n in item.nuggets for t in (n.text, *n.aliases))):
            assert text.casefold() not in item.question.casefold()


def test_evidence_is_in_the_gold_documents_alone(case: Case, tmp_path: Path) -> None:
    """Whoever reads nothing but the gold documents finds the same answer."""
    by_key = {document.key: document for document in case.fog.documents}
    for item in case.fog.items:
        assert item.gold and len(set(item.gold)) == len(item.gold)
        folder = tmp_path / item.key
        for key in item.gold:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_text(by_key[key].text, encoding="utf-8")
        reading = reader.read(folder)
        if item.kind in ("entity_lists", "entity_search"):
            assert reader.matching(reading, item.question) == {n.text for n in item.nuggets}, item.question
        elif item.kind == "report_synthesis":
            assert reader.report(reading, item.question) == [n.aliases[0] for n in item.nuggets]
        elif item.kind == "procedures":
            assert reader.steps(reading, item.question) == [n.text.partition(": ")[2] for n in item.nuggets]
        elif item.kind == "meeting_notes":
            assert reader.actions(reading, item.question) == {n.text for n in item.nuggets}
        else:
            assert reader.arithmetic(reading, item.question) == reader.arithmetic(case.reading, item.question)


async def test_the_reference_scores_in_full_with_the_rule_judge(case: Case) -> None:
    for item in case.fog.items:
        nuggets = [nugget.text for nugget in item.nuggets]
        assert (await RuleJudge().score(item.reference, question=item.question, nuggets=nuggets)).value == 1.0, item
