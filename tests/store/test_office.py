"""Office files, made by the packages that read them; without the extra the reason says what to install."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from store.readers import ReadDocument, ReadError, reader_of


def read(path: Path) -> ReadDocument:
    reader = reader_of(path)
    assert reader is not None
    (document,) = reader.read(path)
    return document


def test_word_keeps_headings_and_tables(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    made = docx.Document()
    made.add_heading("Plan", 0)
    made.add_heading("Budget", 1)
    made.add_paragraph("We spend.")
    table = made.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "rent", "9"
    made.core_properties.author = "Mira"
    made.save(str(tmp_path / "plan.docx"))
    document = read(tmp_path / "plan.docx")
    assert [chunk.text for chunk in document.chunks] == ["# Plan\n\n# Budget\n\nWe spend.\n\nrent | 9"]
    assert (document.title, document.properties["author"], document.markup) == ("plan", "Mira", "markdown")


def test_sheets_are_sections(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Costs"
    for row in (["item", 2018], [None, None], ["rent", 12.5]):
        book.active.append(row)
    book.save(tmp_path / "costs.xlsx")
    assert [chunk.text for chunk in read(tmp_path / "costs.xlsx").chunks] == ["# Costs\n\nitem | 2018\nrent | 12.5"]


def test_slides_are_pages(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    shown = pptx.Presentation()
    for title, text in (("Hello", "World"), ("Bye", "Moon")):
        slide = shown.slides.add_slide(shown.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    shown.save(tmp_path / "talk.pptx")
    found = [(chunk.page, chunk.text) for chunk in read(tmp_path / "talk.pptx").chunks]
    assert found == [(1, "# Hello\nWorld"), (2, "# Bye\nMoon")]


@pytest.mark.parametrize("suffix", ["docx", "xlsx", "pptx"])
def test_what_is_broken_says_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"\xd0\xcf\x11\xe0 an older or encrypted file")
    with pytest.raises(ReadError, match=f"corrupt or encrypted {suffix} file"):
        read(path)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("x", "y")
    with pytest.raises(ReadError, match="lacks its list of parts"):
        read(path)
