"""Titles, sentences and tables as lines of a width."""

from __future__ import annotations

from rich.cells import cell_len

from tui.grid import Columns, Title, Words, cut, page

TABLE = Columns(("measure", "first", "second"), (("score", "0.125", "0.250"), ("  pass@1", "0.5", "0.75")))


def lines(*parts: Title | Words | Columns, width: int) -> list[str]:
    return page(parts, width=width).plain.split("\n")


def test_figures_are_to_the_right_and_indents_stay():
    assert lines(TABLE, width=40) == [
        "measure   first  second",
        "score     0.125   0.250",
        "  pass@1    0.5    0.75",
    ]


def test_columns_of_words_are_to_the_left():
    table = Columns(("system", "spent", "place"), (("a", "1", "on the front"), ("b", "20", "no")), words=(2,))
    assert lines(table, width=40) == ["system  spent  place", "a           1  on the front", "b          20  no"]


def test_a_table_too_wide_goes_on_below_itself():
    assert lines(TABLE, width=16) == [
        "measure   first",
        "score     0.125",
        "  pass@1    0.5",
        "",
        "measure   second",
        "score      0.250",
        "  pass@1    0.75",
    ]


def test_no_line_is_wider_than_the_width():
    parts = (
        Title("a long title of a table"),
        Words("words to read first", warning=True),
        TABLE,
        Words("日本語の文" * 9),
    )
    for width in range(2, 60):
        assert max(map(cell_len, lines(*parts, width=width))) <= width


def test_a_title_has_a_line_above_it_but_for_the_first():
    assert lines(Title("one"), Words("said"), Title("two"), width=20) == ["one", "said", "", "two"]
    assert lines(Words("read this first", warning=True), width=10) == ["! read", "  this", "  first"]


def test_what_is_cut_ends_in_an_ellipsis():
    assert [cut("a longer name", width) for width in (20, 9, 1)] == ["a longer name", "a longer…", "…"]
    assert cut("two\nlines", 20) == "two lines"
