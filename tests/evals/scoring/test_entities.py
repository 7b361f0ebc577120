"""Entity lists: QAMPARI's figures on cases counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.items import Nugget
from evals.scoring.entities import entity_figures, entity_score, listed

GOLD = [
    Nugget(text="Trinidad and Tobago", aliases=("T&T",)),
    Nugget(text="São Tomé", aliases=("Sao Tome Island",)),
    Nugget(text="The Netherlands", aliases=("Holland", "NL")),
    Nugget(text="Peru"),
]


@pytest.mark.parametrize(
    ("given_names", "precision", "recall", "top5"),
    [
        (["Holland", "peru", "Chile"], 2 / 3, 0.5, 0.5),
        (["Holland", "the netherlands"], 0.5, 0.25, 0.25),
        (["Sao Tome", "T&T", "NL", "Peru."], 1.0, 1.0, 1.0),
        (["Peru", "Peru", "PERU"], 1.0, 0.25, 0.25),
        ([], 0.0, 0.0, 0.0),
        (["", " . "], 0.0, 0.0, 0.0),
    ],
)
def test_one_question(given_names: list[str], precision: float, recall: float, top5: float) -> None:
    found = entity_score(given_names, gold=GOLD)
    assert found is not None and found.precision == pytest.approx(precision)
    assert (found.recall, found.recall_top5) == (recall, top5)
    assert found.judge == "rule:entities"


def test_what_is_missed_and_what_is_too_much_is_named() -> None:
    found = entity_score(["Holland", "Chile"], gold=GOLD)
    assert found is not None and found.surplus == ("chile",)
    assert found.missed == ("Trinidad and Tobago", "São Tomé", "Peru")


def test_entities_that_share_an_alias_are_found_one_by_one() -> None:
    gold = [Nugget(text="Springfield, Ohio", aliases=("Springfield",)), Nugget(text="Springfield")]
    both = entity_score(["Springfield", "Springfield, Ohio"], gold=gold)
    assert both is not None and both.recall == 1.0
    alone = entity_score(["Springfield"], gold=gold)
    assert alone is not None and alone.recall == 0.5
    assert entity_score(["Springfield"], gold=[]) is None


@pytest.mark.parametrize(
    "answer",
    [
        "Trinidad and Tobago, Peru and Holland",
        "1. Trinidad and Tobago [3]\n2. **Peru** [1, 4]\n3. Holland",
        "- Holland\n- Peru\n- Trinidad and Tobago",
        "Peru; Holland; Trinidad and Tobago; Peru",
    ],
)
def test_answers_are_split_but_names_are_not(answer: str) -> None:
    assert sorted(listed(answer, gold=GOLD)) == ["holland", "peru", "trinidad and tobago"]


def test_recall_of_five_stops_at_five() -> None:
    gold = [Nugget(text=f"entity {number}") for number in range(20)]
    found = entity_score([f"entity {number}" for number in range(4)], gold=gold)
    assert found is not None and (found.recall, found.recall_top5) == (0.2, 0.8)
    many = entity_score([f"entity {number}" for number in range(9)], gold=gold)
    assert many is not None and many.recall_top5 == 1.0


def test_figures_over_questions_with_the_published_bars() -> None:
    gold = [Nugget(text=f"e{number}") for number in range(5)]
    scores = [entity_score([f"e{n}" for n in range(right)] + ["x"] * bool(right < 4), gold=gold) for right in (5, 4, 1)]
    figures = entity_figures([score for score in scores if score is not None])
    assert figures["recall"]["mean"] == pytest.approx((1 + 0.8 + 0.2) / 3, abs=1e-4)
    assert figures["precision"]["mean"] == pytest.approx((1 + 1 + 0.5) / 3, abs=1e-4)
    assert figures["recall>=0.8"]["mean"] == figures["f1>=0.5"]["mean"] == pytest.approx(2 / 3, abs=1e-4)


@given(st.lists(st.text(max_size=12)), st.lists(st.text(min_size=1, max_size=12), min_size=1))
def test_scores_are_shares_and_a_perfect_list_is_perfect(names: list[str], texts: list[str]) -> None:
    gold = [Nugget(text=text) for text in texts]
    found = entity_score(names, gold=gold)
    assert found is not None
    assert all(0.0 <= value <= 1.0 for value in (found.precision, found.recall, found.f1, found.recall_top5))
    assert min(found.precision, found.recall) - 1e-9 <= found.f1 <= max(found.precision, found.recall) + 1e-9
