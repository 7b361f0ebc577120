"""Evidence is found by its text; published page numbers are hints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from evals.loaders.evidence import Found, Match, find_evidence
from evals.loaders.pages import PdfFolder, PdfPages
from evals.loaders.rows import read_rows
from evals.tasks.load import load_task
from store.errors import UsageError
from tests.store.documents import a_pdf

SHARED = Path(os.environ.get("KARL_SHARED", Path(__file__).parents[2].parent / "shared")) / "data" / "financebench"
PAGES = {
    1: "Cover page of Acme",
    2: "Net sales rose to $ 34,229 million\nin the finan-\ncial year, up by 3%",
    3: "Other words about other things. Purchases of property",
    4: "and equipment came to (1,577) in 2018, and to (1,373) in 2017 before that",
    5: "Cover page of Acme",
}


@pytest.mark.parametrize(
    ("text", "hint", "found"),
    [
        ("Net sales rose to $34,229 million in the financial year", 2, Found((2,), Match.EXACT)),
        ("Net sales rose to $34,229 million in the financial year", 4, Found((2,), Match.EXACT)),
        ("NET SALES ROSE TO 34.229 MILLION", 2, Found((2,), Match.PLAIN)),
        ("Cover page of Acme", 5, Found((5,), Match.EXACT)),
        ("Cover page of Acme", None, Found((1,), Match.EXACT)),
        ("Purchases of property and equipment came to (1,577)", 3, Found((3, 4), Match.EXACT)),
        ("equipment of 2018 came to 1,577 and of 2017 to 1,373", 1, Found((4,), Match.FUZZY)),
        ("in the year net sales rose by 3% of capital employed", 2, Found((2,), Match.FUZZY)),
        ("in the year net sales rose by 3% of capital employed", 1, None),
        ("Dividends were paid to holders of record", 2, None),
        (" - ", 2, None),
    ],
)
def test_the_page_is_found(text: str, hint: int | None, found: Found | None) -> None:
    assert find_evidence(text, PAGES, hint=hint) == found


def test_the_published_page_gives_way_to_a_clearly_better_one() -> None:
    pages = {1: "a b c d e f g x y z", 2: "z i h g f e d c b a", 3: "a b c d e f g h i z q"}
    assert find_evidence("a b c d e f g h i j", pages, hint=1) == Found((2,), Match.FUZZY)
    assert find_evidence("a b c d e f g h i j", pages, hint=3) == Found((3,), Match.FUZZY)
    assert find_evidence("a b c d e f g j k l", {1: pages[1]}, hint=1) == Found((1,), Match.FUZZY)


class Watched(Mapping[int, str]):
    """Pages that remember which of them were read."""

    def __init__(self, pages: Mapping[int, str]) -> None:
        self.pages, self.read = pages, set[int]()

    def __getitem__(self, page: int) -> str:
        self.read.add(page)
        return self.pages[page]

    def __iter__(self) -> Iterator[int]:
        return iter(self.pages)

    def __len__(self) -> int:
        return len(self.pages)

    def __contains__(self, page: object) -> bool:
        return page in self.pages


def test_a_right_hint_saves_the_other_pages() -> None:
    pages = Watched(PAGES)
    assert find_evidence("Net sales rose to 34,229", pages, hint=2) is not None
    assert pages.read == {2}


def test_pages_of_a_pdf_are_those_of_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ACME.pdf").write_bytes(a_pdf(["first page", None, "third page"]))
    (tmp_path / "broken.pdf").write_bytes(b"no PDF")
    with PdfFolder(tmp_path) as folder:
        pages = folder.pages("ACME")
        assert pages is not None
        assert dict(pages) == {1: "first page", 2: "", 3: "third page"}
        assert folder.pages("acme") is pages
        assert pages.name == "ACME"
        assert folder.pages("BOLT") is None
    with pytest.raises(UsageError, match=r"broken\.pdf: cannot be read as PDF"):
        PdfPages(tmp_path / "broken.pdf")


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no sample filings at {SHARED}; set KARL_SHARED")
def test_every_question_of_the_sample_maps_to_pages_that_hold_its_evidence() -> None:
    loaded = load_task("financebench", SHARED)
    assert len(loaded.items) == 30
    assert [item.key for item in loaded.items if not item.gold] == []
    assert loaded.notes == {
        "evidence: exact": 17,
        "evidence: letters and digits": 19,
        "evidence: on the published page": 36,
    }
    assert [str(shortfall) for shortfall in loaded.shortfalls] == [
        "questions of split evaluation: 30 here, 150 in the full set"
    ]
    assert not loaded.complete


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no sample filings at {SHARED}; set KARL_SHARED")
def test_the_sample_maps_without_the_published_page_numbers() -> None:
    """Of the short filings; the text alone leads to the pages that were published."""
    checked = 0
    with PdfFolder(SHARED / "pdfs") as filings:
        for row in read_rows(SHARED / "questions.jsonl"):
            pages = filings.pages(row.text("doc_name"))
            if pages is None or len(pages) > 40:
                continue
            for evidence in row.rows("evidence"):
                found = find_evidence(evidence.text("evidence_text"), pages, hint=None)
                assert found is not None
                assert found.pages == (evidence.whole("evidence_page_num") + 1,)
                checked += 1
    assert checked >= 12
