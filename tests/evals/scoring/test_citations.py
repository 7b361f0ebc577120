"""Citations and hits against the evidence, by keys of documents and pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scoring.citations import citation_score, hit_key, matches, retrieval_score
from store.types import Hit


@pytest.mark.parametrize(
    ("cited", "gold", "precision", "recall"),
    [
        (["a#1", "b#2"], ["a#1"], 0.5, 1.0),
        (["a#1", "a#1"], ["a#1", "a#2"], 1.0, 0.5),
        (["a#1", "a#7"], ["a"], 1.0, 1.0),
        (["a"], ["a#1"], 0.0, 0.0),
        (["a", "b#3"], ["a", "b"], 1.0, 1.0),
        (["a#1"], ["a#11"], 0.0, 0.0),
        (["notes/a.md#x"], ["notes/a.md"], 0.0, 0.0),
        ([], ["a"], None, 0.0),
    ],
)
def test_citations(cited: list[str], gold: list[str], precision: float | None, recall: float) -> None:
    found = citation_score(cited, gold=gold)
    assert found is not None and (found.precision, found.recall) == (precision, recall)
    assert (found.judge, found.prompt_sha256, found.cited) == ("rule:citations", "", len(set(cited)))
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall) if precision and recall else 0.0)


def test_retrieval_recall_is_over_everything_that_was_seen() -> None:
    found = retrieval_score(["a#1", "b#9", "c#2", "c#3"], gold=["a#1", "b", "d#1", "c#3"])
    assert found is not None and (found.recall, found.full, found.seen) == (0.75, False, 4)
    whole = retrieval_score(["a#1", "b#9"], gold=["b", "a#1", "b"])
    assert whole is not None and whole.full and whole.gold == 2


def test_without_known_evidence_there_is_nothing_to_score_by() -> None:
    assert citation_score(["a#1"], gold=[]) is None and retrieval_score([], gold=[]) is None


@given(
    st.lists(st.sampled_from(["a", "a#1", "a#2", "b", "b#1", "c#x"])),
    st.lists(st.sampled_from(["a", "a#1", "a#2", "b", "b#1", "c#x"]), min_size=1),
)
def test_recall_is_what_pair_by_pair_matching_gives(seen: list[str], gold: list[str]) -> None:
    found = retrieval_score(seen, gold=gold)
    met = [any(matches(key, one) for key in seen) for one in set(gold)]
    assert found is not None and found.recall == pytest.approx(sum(met) / len(met))


def test_the_key_of_a_hit_is_its_page_or_its_document() -> None:
    hit = Hit(chunk_id=1, key="filings/3M_2018_10K.pdf#112", title="", text="", score=1.0, page=60)
    assert hit_key(hit) == "filings/3M_2018_10K.pdf#60"
    assert hit_key(Hit(chunk_id=1, key="notes/mira.md#0", title="", text="", score=1.0)) == "notes/mira.md"
