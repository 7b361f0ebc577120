"""Each knob changes what it says, and refuses what it can't do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evals.fog.make import Fog, make_fog
from evals.fog.regimes.phrases import NEWEST
from evals.fog.settings import REGIMES, FogSettings, fog_settings
from evals.items import EvalItem
from store.errors import UsageError

BASE: dict[str, Any] = {"seed": 5, "size": 220, "questions": 2}


def fog_with(**knobs: Any) -> Fog:
    return make_fog(fog_settings({**BASE, **knobs}))


def of_kind(fog: Fog, regime: str) -> list[EvalItem]:
    found = [item for item in fog.items if item.kind == regime]
    assert found
    return found


def folders(fog: Fog) -> set[str]:
    return {document.key.partition("/")[0] for document in fog.documents}


def test_seed_draws_another_company() -> None:
    first, second = fog_with(), fog_with(seed=6)
    assert not {item.question for item in first.items} & {item.question for item in second.items}


# 5,000 documents take about 4 s on one idle core, 20 a few milliseconds.
@pytest.mark.parametrize("size", [20, 137, 5000])
def test_size_is_exact_and_every_item_proved(size: int) -> None:
    fog = fog_with(size=size, questions=4, hops=1)
    assert len(fog.documents) == size == len({document.key for document in fog.documents})
    keys = {document.key for document in fog.documents}
    assert fog.items
    for item in fog.items:
        assert set(item.gold) <= keys
        assert re.match(r"Of \d+ [a-z]+ in the documents, exactly \d+ meets? what is asked \(", item.proof), item.proof
        assert item.proof.endswith(".")
    if size == 5000:
        assert set(fog.counts.values()) == {4}


def test_what_never_fits_is_given_up() -> None:
    """A list of 20 customers needs 43 documents, and is tried thirty times."""
    fog = fog_with(size=40, questions=30, hops=1, list_length=20, regimes=["entity_lists", "report_synthesis"])
    assert len(fog.documents) == 40
    assert fog.counts["entity_lists"] == 0 < fog.counts["report_synthesis"]


def test_regimes_and_questions_say_what_is_asked_in_the_suites_order() -> None:
    fog = fog_with(regimes=["procedures", "entity_search"], questions=3)
    assert fog.counts == {"entity_search": 3, "procedures": 3}
    assert {"filings", "meetings"} <= folders(fog)  # the documents hold the others all the same
    assert [item.key for item in fog.items][:2] == ["fog-5-entity_search-000", "fog-5-entity_search-001"]


@pytest.mark.parametrize(
    ("regime", "wordings"),
    [
        ("entity_search", ["uses [A-Z]", "uses the product that the .+ team builds", "uses the product of the team"]),
        ("report_synthesis", ["report on [A-Z]", "report on the product that", "used by the customer that .+ looks"]),
        ("tabular_arithmetic", ["of [A-Z]", "of the customer looked after by [A-Z]", "by the leader of the"]),
        ("entity_lists", ["use [A-Z]", "use the product that the .+ team builds", "use the product of the team"]),
        ("meeting_notes", ["actions did [A-Z]", "the person who leads the [A-Z]", "who leads the team that builds"]),
    ],
)
def test_hops_describe_instead_of_naming(regime: str, wordings: list[str]) -> None:
    documents: list[int] = []
    for hops, wording in enumerate(wordings, 1):
        for item in of_kind(fog_with(hops=hops, conflicts=0, aliases=0), regime):
            assert re.search(wording, item.question), item.question
            documents.append(len(item.gold))
    assert documents[0] < documents[-1]  # and the evidence is spread over more of them


def test_hops_of_a_procedure_are_the_procedures_before_it() -> None:
    for hops in (1, 2, 3):
        for item in of_kind(fog_with(hops=hops), "procedures"):
            assert len(item.nuggets) == 5 + 2 * (hops - 1)
            assert len(item.gold) == hops


@pytest.mark.parametrize("constraints", [2, 5])
def test_constraints_of_a_search(constraints: int) -> None:
    fog = fog_with(constraints=constraints)
    for item in of_kind(fog, "entity_search"):
        assert len(fog.drafts[item.key].query.conditions) == constraints
        assert len(re.findall(r"based in|works in|on the|concern|uses", item.question)) == constraints


@pytest.mark.parametrize("distractors", [0, 4])
def test_distractors_are_named_by_the_proof(distractors: int) -> None:
    fog = fog_with(distractors=distractors, size=300)
    for regime in ("entity_search", "entity_lists", "meeting_notes"):
        for item in of_kind(fog, regime):
            assert item.proof.count("fails only") == distractors
    for item in of_kind(fog, "procedures"):
        task = re.search(r"in order, to (\w+ \w+ \w+)", item.question)
        assert task
        assert sum(document.title.startswith(f"How to {task[1]}") for document in fog.documents) > distractors


def test_aliases_name_accounts() -> None:
    never, always = (fog_with(aliases=share) for share in (0, 1))
    assert not any(nugget.aliases for item in of_kind(never, "entity_lists") for nugget in item.nuggets)
    for item in of_kind(always, "entity_lists"):
        assert all(nugget.aliases for nugget in item.nuggets)
        assert any(key.startswith("customers/") for key in item.gold)  # where the other name is explained
    profiles = {d.title.removeprefix("Customer profile of ") for d in always.documents if d.key.startswith("customers")}
    accounts = {d.title.removeprefix("Account record of ") for d in always.documents if d.key.startswith("accounts")}
    assert len(profiles) == len(accounts) > 20
    assert not profiles & accounts


def test_conflicts_are_older_documents_and_the_question_says_who_wins() -> None:
    without, everywhere = (fog_with(conflicts=share) for share in (0, 1))
    assert "archive" not in folders(without)
    assert "archive" in folders(everywhere)
    assert not any(NEWEST in item.question or "overrule" in item.proof for item in without.items)
    assert all(item.question.endswith(NEWEST) for item in everywhere.items)
    for regime in ("entity_search", "entity_lists", "procedures", "meeting_notes", "report_synthesis"):
        assert all("older statements that newer ones overrule" in item.proof for item in of_kind(everywhere, regime))
    versions = [document.title for document in everywhere.documents if document.key.startswith("procedures")]
    assert max(map(versions.count, versions)) == 2


def test_who_raised_a_concern_did_so_whatever_came_later() -> None:
    """An older note would make a second right answer: nothing that is newer takes an event back."""
    statements = [(fact.relation, fact.subject) for fact in fog_with(conflicts=1).facts]
    raised = [one for one in statements if one[0] == "raised"]
    assert len(raised) > 20 and len(raised) == len(set(raised))


@pytest.mark.parametrize("tables", [1, 5])
def test_tables_of_a_filing(tables: int) -> None:
    filings = [document for document in fog_with(tables=tables).documents if document.key.startswith("filings")]
    assert filings
    assert {document.body.count("```") for document in filings} == {2 * tables}


@pytest.mark.parametrize("length", [2, 8])
def test_list_length_is_that_of_lists_and_fact_lists(length: int) -> None:
    fog = fog_with(list_length=length, hops=1)
    for regime in ("entity_lists", "meeting_notes", "procedures"):
        assert all(len(item.nuggets) == length for item in of_kind(fog, regime))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hops": 4}, "hops"),
        ({"size": 5}, "size"),
        ({"colour": 1}, "colour.*settings: seed, size"),
        ({"regimes": ["search"]}, "regimes"),
        ({"vocabulary": "small", "conflicts": 0.5}, "small vocabulary can't say that: conflicts at most 0"),
        ({"vocabulary": "small", "list_length": 15}, "list_length at most 12"),
    ],
)
def test_a_wrong_knob_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fog_settings(given)


def test_the_small_vocabulary_needs_its_words_and_turns_off_what_it_cannot_say() -> None:
    settings = fog_settings({"vocabulary": "small"})
    assert (settings.aliases, settings.conflicts) == (0, 0)
    with pytest.raises(UsageError, match=r"karl\.tiny\.fog"):
        make_fog(settings)


def test_the_knobs_by_default_ask_ten_questions_of_every_regime() -> None:
    assert make_fog(FogSettings()).counts == dict.fromkeys(REGIMES, 10)
