"""Each format's reader, on real bytes."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.chunking.cut import cut
from store.chunking.policy import ChunkingPolicy
from store.chunking.split import split_text
from store.readers import ReadDocument, ReadError, jsonl, reader_of
from store.readers.base import clean
from store.readers.decoding import decode
from tests.store.documents import a_pdf

DEFAULT = ChunkingPolicy()


def read(path: Path, content: str | bytes, *, max_chars: int = 2000) -> list[ReadDocument]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    reader = reader_of(path)
    assert reader is not None
    cuts = (cut(one, kind=reader.kind, policy=DEFAULT, max_chars=max_chars) for one in reader.read(path))
    return list(cuts)


def test_pdf_is_a_chunk_per_page_in_order(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "ACME_2022_10K.pdf", a_pdf(["Revenue was 12", "Costs were 7"]))
    assert [(chunk.page, chunk.text) for chunk in document.chunks] == [(1, "Revenue was 12"), (2, "Costs were 7")]
    assert document.title == "ACME 2022 10K"


@pytest.mark.parametrize(
    ("own", "title"), [("Annual report of Acme", "x: Annual report of Acme"), ("0000764478-23-000041", "x")]
)
def test_pdf_title_takes_words_only(tmp_path: Path, own: str, title: str) -> None:
    assert read(tmp_path / "x.pdf", a_pdf(["text"], title=own))[0].title == title


def test_a_broken_page_costs_that_page_only(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "x.pdf", a_pdf(["one", None, "three"]))
    assert [(chunk.page, chunk.text) for chunk in document.chunks] == [(1, "one"), (3, "three")]
    assert len(document.problems) == 1
    assert document.problems[0].startswith("page 2: ")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"%PDF-1.4 cut off", "corrupt PDF"),
        ("a.pdf", b"", "empty"),
        ("a.pdf", a_pdf(["secret"], encrypted=True), "encrypted PDF"),
        ("a.pdf", a_pdf([""]), "1 pages without text"),
        ("a.md", "---\ntitle: x\n---\n  \n", "empty"),
        ("a.txt", "\0\x01\n \t", "binary|empty"),
        ("a.txt", bytes(range(256)) * 20 + b"\0" * 600, "binary"),
        ("a.html", "<html><script>var x = 1</script><nav>Home</nav></html>", "empty"),
        ("a.jsonl", "\n\n", "empty"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        read(tmp_path / name, content)


def test_markdown_short_is_one_chunk_titled_by_its_heading(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "mira.md", "# Mira Voss\n\nLeads the *Harbor* team.\n")
    assert [(chunk.title, chunk.text) for chunk in document.chunks] == [
        ("Mira Voss", "# Mira Voss\n\nLeads the *Harbor* team.")
    ]


def test_markdown_front_matter_names_the_document(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "x.md", "---\ntitle: The plan\ntags: [a]\n---\n# Heading\n\nBody\n")
    assert (document.title, document.chunks[0].text) == ("The plan", "# Heading\n\nBody")
    (broken,) = read(tmp_path / "y.md", "---\ntitle: [unclosed\n---\n# Heading\n")
    assert broken.title == "Heading"
    assert "unreadable YAML" in broken.problems[0]
    assert "unclosed" in broken.chunks[0].text


def test_markdown_long_is_cut_at_headings(tmp_path: Path) -> None:
    text = (
        "# Guide\n\nintro\n\n## Install\n\n"
        + "step. " * 40
        + "\n\n```\n# not a heading\n```\n\n## Use\n\n"
        + "run. " * 40
    )
    (document,) = read(tmp_path / "x.md", text, max_chars=290)
    titles = [chunk.title for chunk in document.chunks]
    assert titles == ["Guide", "Guide > Install", "Guide > Use"]
    assert "# not a heading" in document.chunks[1].text
    assert all(len(chunk.text) <= 290 for chunk in document.chunks)


def test_html_keeps_the_main_text_in_reading_order(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title>The  page</title><style>p{}</style></head><body>
    <nav><a>Home</a></nav><h1>Top</h1><p>First <b>bold</b>\n words</p>
    <table><tr><th>a</th><td>1</td></tr></table><pre>def f():\n    return 1</pre>
    <script>alert(1)</script><footer>Imprint</footer></body></html>"""
    (document,) = read(tmp_path / "x.html", page)
    text = document.chunks[0].text
    assert document.title == "The page"
    assert text == "# Top\n\nFirst bold words\n\na | 1\n\ndef f():\n    return 1"


def test_html_says_who_wrote_it(tmp_path: Path) -> None:
    head = '<meta name="Author" content="Mira"><meta property="article:published_time" content="2026-01-02">'
    (document,) = read(tmp_path / "x.html", f"<html><head>{head}</head><body><p>text</p></body></html>")
    assert document.properties == {"author": "Mira", "date": "2026-01-02"}


def test_html_nested_deeper_than_the_stack(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "x.html", "<div>" * 3000 + "deep" + "</div>" * 3000)
    assert document.chunks[0].text == "deep"


def test_html_in_its_declared_charset(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "x.html", '<meta charset="iso-8859-1"><p>Zürich</p>'.encode("latin-1"))
    assert document.chunks[0].text == "Zürich"


def test_jsonl_reports_bad_lines_by_number(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a", "title": "A", "text": "alpha"}),
        "not json",
        json.dumps({"contents": "beta"}),
        json.dumps({"id": "a", "text": "again"}),
        json.dumps({"text": 5}),
        json.dumps([1]),
        b'{"text": "\xff"}'.decode("latin-1"),
        json.dumps({"text": " \n"}),
    ]
    content = "\n".join(lines).encode("latin-1")
    found = read(tmp_path / "x.jsonl", content)
    assert [(d.part, d.title, d.chunks[0].text) for d in found if d.error is None] == [
        ("a", "A", "alpha"),
        ("line-3", "", "beta"),
    ]
    errors = {d.part: d.error for d in found if d.error is not None}
    assert list(errors) == ["line-2", "line-4", "line-5", "line-6", "line-7", "line-8"]
    assert "line 2: not JSON" in str(errors["line-2"])
    assert "there already" in str(errors["line-4"])
    assert "not UTF-8" in str(errors["line-7"])


def test_a_jsonl_line_that_is_too_long_is_named_and_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LONGEST", 2 * 2**20)
    monkeypatch.setattr(jsonl, "AT_ONCE", 1000)
    fits = json.dumps({"id": "b", "text": "x" * (2 * 2**20 - 23)})
    assert len(fits) == 2 * 2**20
    lines = [json.dumps({"id": "a", "text": "alpha"}), '{"text": "' + "y" * (5 * 2**20), "", fits, "z" * (3 * 2**20)]
    found = read(tmp_path / "x.jsonl", "\r\n".join(lines).encode())
    assert [(one.part, one.error) for one in found] == [
        ("a", None),
        ("line-2", "line 2: too long: 5 MiB, of at most 2; split its document into several lines"),
        ("b", None),
        ("line-5", "line 5: too long: 3 MiB, of at most 2; split its document into several lines"),
    ]
    assert found[1].content == hashlib.sha256(f"{lines[1]}\r\n".encode()).digest()


def test_no_more_of_a_long_line_is_held_than_may_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LONGEST", 2**20)
    (tmp_path / "x.jsonl").write_bytes(b"y" * (16 * 2**20))
    tracemalloc.start()
    try:
        (found,) = jsonl.JsonlReader().read(tmp_path / "x.jsonl")
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()
    assert "too long: 16 MiB, of at most 1" in str(found.error)


def test_clean_drops_controls_and_keeps_lines() -> None:
    assert clean("a\0b\x07\u200bc\r\nd \t\n\n\n\n\ne\u00a0f\ud800") == "abc\nd\n\ne f"
    assert clean("e\u0301") == "é"


@pytest.mark.parametrize(
    ("data", "text"),
    [("é".encode(), "é"), (b"\xef\xbb\xbfx", "x"), ("é".encode("utf-16"), "é"), (b"\xe9\x80", "é€")],
)
def test_decode(data: bytes, text: str) -> None:
    assert decode(data).text == text


@given(st.text(alphabet="ab .\n", max_size=300), st.integers(1, 50))
def test_split_loses_only_white_space(text: str, max_chars: int) -> None:
    pieces = split_text(text, max_chars=max_chars)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= max_chars for piece in pieces)


def test_split_prefers_paragraphs() -> None:
    assert split_text("one two.\n\nthree four.\n\nfive", max_chars=22) == ["one two.\n\nthree four.", "five"]


def test_split_keeps_a_heading_with_its_text() -> None:
    pieces = split_text("# Mira\n\n" + "Leads the Lighthouse team. " * 12, max_chars=200)
    assert pieces[0].startswith("# Mira\n\nLeads the Lighthouse team.")
    assert len(pieces) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'Name,Note,Pay\r\nMira,"Leads, since ""May""",7\r\n\r\nJon,,8,extra\r\n'),
        ("a.csv", '\ufeffName;Note;Pay\nMira;"Leads, since ""May""";7\nJon;;8;extra\n'),
        ("a.tsv", 'Name\tNote\tPay\nMira\t"Leads, since\n""May"""\t7\nJon\t\t8\textra'),
    ],
)
def test_rows_of_a_table_name_their_columns(tmp_path: Path, name: str, text: str) -> None:
    (document,) = read(tmp_path / name, text.encode())
    assert document.chunks[0].text == 'Name: Mira | Note: Leads, since "May" | Pay: 7\nName: Jon | Pay: 8 | extra'
    assert document.title == "a"
    assert not document.problems


def test_a_broken_row_of_a_table_costs_itself(tmp_path: Path) -> None:
    (document,) = read(tmp_path / "a.csv", b"Name,Note\nMira,one\nJon," + b"x" * 200_000 + b"\nEva,two\n")
    assert document.chunks[0].text == "Name: Mira | Note: one\nName: Eva | Note: two"
    assert document.problems == ["line 3: field larger than field limit (131072)"]
    with pytest.raises(ReadError, match="no rows: the first names the columns"):
        read(tmp_path / "a.csv", b"Name,Note\n")


def test_an_id_that_looks_like_the_part_of_another_line_takes_nothing_from_it(tmp_path: Path) -> None:
    found = read(
        tmp_path / "a.jsonl", '{"id": "line-2", "text": "one"}\n{"text": "two"}\n{"id": "line-2", "text": "three"}\n'
    )
    assert [(one.part, one.error) for one in found] == [
        ("line-2", None),
        ("line-2'", None),
        ("line-3", "line 3: the id 'line-2' is there already"),
    ]
