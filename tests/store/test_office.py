"""Office files, made by the packages that read them; without the extra the reason says what to install."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from store.readers import ReadDocument, ReadError, office, reader_of


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


def _rewritten(path: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """The package with one part changed."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, change(content) if name == part else content)


def test_a_sheet_is_read_beyond_the_size_it_states(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["item", 2018], ["rent", 12.5]):
        book.active.append(row)
    book.save(tmp_path / "costs.xlsx")
    stated = re.compile(rb'<dimension ref="[^"]*"')
    _rewritten(tmp_path / "costs.xlsx", "xl/worksheets/sheet1.xml", lambda xml: stated.sub(b'<dimension ref="A1"', xml))
    assert read(tmp_path / "costs.xlsx").chunks[0].text == "# Sheet\n\nitem | 2018\nrent | 12.5"


def test_a_value_far_out_costs_no_row_of_all_columns_each(tmp_path: Path) -> None:
    """It would be 3 billion cells."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active["A1"], book.active["C200000"] = "near", "far"
    book.active["XFD1"] = "wide"
    book.save(tmp_path / "wide.xlsx")
    text = read(tmp_path / "wide.xlsx").chunks[0].text
    assert text.startswith("# Sheet\n\nnear | ") and text.endswith("| wide\n |  | far")


def test_shapes_in_groups_are_read(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    shown = pptx.Presentation()
    slide = shown.slides.add_slide(shown.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    inner = group.shapes.add_group_shape()
    for shapes, text in ((group.shapes, "outer"), (inner.shapes, "inner")):
        shapes.add_textbox(0, 0, 9, 9).text_frame.text = text
    shown.save(tmp_path / "groups.pptx")
    assert sorted(read(tmp_path / "groups.pptx").chunks[0].text.split("\n")) == ["inner", "outer"]


def test_whatever_byte_is_turned_the_reason_says_corrupt(tmp_path: Path) -> None:
    """What zip, XML and openpyxl raise is of a dozen kinds; only an error with a reason may come out."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["rent", 12.5])
    book.save(tmp_path / "whole.xlsx")
    whole, path, broken = (tmp_path / "whole.xlsx").read_bytes(), tmp_path / "a.xlsx", 0
    for at in range(0, len(whole), 23):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            read(path)
        except ReadError as exc:
            broken += str(exc).startswith("corrupt")
    assert broken > 10


def test_a_package_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "LARGEST", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as package:
        for name, size in (("[Content_Types].xml", 10), ("_rels/.rels", 10), ("word/document.xml", 3 * 2**20)):
            package.writestr(name, b" " * size)
    with pytest.raises(ReadError, match="too large: 3 MiB unpacked, of at most 1"):
        read(tmp_path / "bomb.docx")


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
