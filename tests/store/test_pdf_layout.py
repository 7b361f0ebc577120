"""PDF pages: tables with aligned columns, headings, running headers and footers, the outline."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.readers.pdf import PdfReader
from store.readers.pdf_headings import marked_headings
from store.readers.pdf_lines import Cell, Line
from store.readers.running_lines import running_lines
from store.readers.tables import laid_out
from store.vectors.base import IndexEntry
from store.vectors.passages import embedded_passages, opening
from tests.store.documents import a_pdf, a_placed_page


def line(*cells: tuple[str, float], strong: bool = False, height: float = 10, base: float = 0) -> Line:
    return Line(tuple(Cell(text, x, x + 5 * len(text)) for text, x in cells), base, height, strong)


def test_columns_are_aligned_and_prose_is_left_alone() -> None:
    lines = [
        line(("The table below is short and this line has one cell.", 50)),
        line(("2018", 300), ("2017", 400)),
        line(("Sales", 50), ("$ 32,765", 280), ("$ 31,657", 380)),
        line(("Operating expenses:", 50)),
        line(("Cost of sales", 50), ("16,682", 290), ("(16,055)", 380)),
        line(("Note", 50), ("\u2014", 315)),
        line(("After the table.", 50)),
    ]
    assert laid_out(lines) == [
        "The table below is short and this line has one cell.",
        "                   2018      2017",
        "Sales          $ 32,765  $ 31,657",
        "Operating expenses:",
        "Cost of sales    16,682  (16,055)",
        "Note                  \u2014",
        "After the table.",
    ]


def test_headings_are_bold_tall_centred_or_in_capitals() -> None:
    lines = [
        line(("Results of operations", 50), strong=True),
        line(("Balance Sheet", 50), height=13),
        line(("LIQUIDITY AND CAPITAL", 50)),
        line(("Notes to Statements", 150)),
        line(("(In millions)", 50), strong=True),
        line(("Page 3 of 12", 150), strong=True),
        line(("Sales rose, and that was that.", 50), strong=True),
        *(line(("Plain words of the page, from edge to edge of its text area.", 50)) for _ in range(20)),
    ]
    marked = [one.text for one in marked_headings(lines)][:7]
    assert [text.startswith("## ") for text in marked] == [True, True, True, True, False, False, False]


@pytest.mark.parametrize("quarters", range(4))
def test_a_table_on_its_side_is_read_as_an_upright_one(tmp_path: Path, quarters: int) -> None:
    rows = [("Item", "2018", "2017"), ("Net sales", "32,765", "31,657"), ("Cost of sales", "16,682", "16,055")]
    cells = [(text, 60 + 150 * n, 500 - 14 * row) for row, texts in enumerate(rows) for n, text in enumerate(texts)]
    prose = ("Both of the years are in millions of dollars.", 60, 440)
    (tmp_path / "x.pdf").write_bytes(a_placed_page([*cells, prose], quarters=quarters))
    (document,) = PdfReader().read(tmp_path / "x.pdf")
    assert document.chunks[0].text.splitlines() == [
        "Item             2018    2017",
        "Net sales      32,765  31,657",
        "Cost of sales  16,682  16,055",
        prose[0],
    ]


def test_running_lines_are_those_of_many_pages_and_page_numbers() -> None:
    pages = {
        n: [
            "ACME annual report",
            f"Title {'abc'[n % 3]}",
            *(f"words {'pqrstuvw'[n - 1]} {part}" for part in "wxyz"),
            f"Page {n + 4} of 20",
        ]
        for n in range(1, 9)
    }
    found = running_lines(pages)
    assert found.forms == ["ACME annual report", "Page # of 20"]
    assert list(found.kept.values()) == [slice(1, 6)] * 8
    bare = {n: [f"Amount {7 * n}", "1", str(n + 1)] for n in range(1, 9)}
    assert running_lines(bare) == ({n: slice(0, 2) for n in bare}, ["#"])


def test_a_document_notes_what_runs_and_its_chunks_go_without(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(a_pdf([f"Some words {name}" for name in ("a", "b", "c", "d")]))
    (document,) = PdfReader().read(tmp_path / "x.pdf")
    assert [chunk.text for chunk in document.chunks] == ["Some words a", "Some words b", "Some words c", "Some words d"]
    assert document.properties == {"pages": 4}


def test_a_long_page_has_a_vector_of_its_opening() -> None:
    rows = "\n".join(f"Label {'abcdef'[n % 6]}   1,234   5,678" for n in range(60))
    entry = IndexEntry(1, "ACME 2018", f"## Balance Sheet\n{rows}", {"headings": "Item 8", "page": 3})
    *pieces, last = embedded_passages(entry)
    assert len(pieces) == 2 and all(piece.startswith("ACME 2018\nItem 8\n") for piece in pieces)
    assert last.startswith("ACME 2018\nBalance Sheet\nLabel a\nLabel b\n") and "1,234" not in last
    assert embedded_passages(IndexEntry(1, "T", "short")) == ["T\nshort"]
    assert opening("In 2018 we paid $5 and $6 for all of it.") == "In 2018 we paid $5 and $6 for all of it."
