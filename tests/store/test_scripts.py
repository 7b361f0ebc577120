"""Documents in scripts other than Latin: words for BM25, sentences, windows, pieces."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.chunking.sentences import sentence_windows, sentences
from store.chunking.split import split_text
from store.scripts import MARKS
from store.vectors.tokens import tokens

TOKYO = "東京は首都です。人口は多い。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都は2023年に1,409万人", ["東京", "京都", "都は", "2023", "年に", "1409", "万人"]),
        ("株", ["株"]),
        ("3M株式", ["3m", "株式"]),
        ("한국어 검색", ["한국", "국어", "검색"]),
        ("เป็นน้ำ", ["เป็", "ป็น", "นน้ํ", "น้ํา"]),  # marks stay with their letter
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("МИР, слово", ["мир", "слово"]),
        ("naïve été", ["naïv", "été"]),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert tokens(text) == [unicodedata.normalize("NFKC", word) for word in expected]


def test_english_beside_other_scripts_is_the_same() -> None:
    english = "Net sales of 1,577.00 grew in FY2018: co-operating"
    assert tokens(f"{english} 東京") == [*tokens(english), "東京"]


def test_a_query_finds_the_words_within_a_sentence() -> None:
    assert set(tokens("首都")) <= set(tokens(TOKYO))
    assert not set(tokens("都首")) <= set(tokens(TOKYO))


def test_sentences_of_many_scripts() -> None:
    assert sentences(TOKYO + "「なぜ?」と彼。") == ["東京は首都です。", "人口は多い。", "「なぜ?」と彼。"]
    assert sentences("Он пришёл. Она ушла. он") == ["Он пришёл.", "Она ушла. он"]
    assert sentences("सीता गई। राम आया।") == ["सीता गई।", "राम आया।"]
    assert sentences("نعم؟ لا.") == ["نعم؟", "لا."]


def test_windows_count_two_signs_as_a_word() -> None:
    windows = sentence_windows(TOKYO * 10, words=14)
    assert windows == [TOKYO * 2] * 5
    assert sentence_windows("東" * 100, words=10) == ["東" * 20] * 5


def test_a_text_without_ends_is_cut() -> None:
    windows = sentence_windows("word " * 501, words=100)
    assert [len(window.split()) for window in windows] == [101, 101, 101, 101, 97]
    assert sentence_windows("word " * 200, words=100) == [("word " * 200).strip()]


def test_pieces_end_with_sentences() -> None:
    assert split_text(TOKYO * 3, max_chars=15) == [TOKYO] * 3


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_no_letter_is_lost(text: str) -> None:
    """Whatever the script: each letter and digit is in some word, but for those of English stop words and endings."""
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = set("".join(tokens(text)))
    letters = {sign for sign in folded if sign.isalnum() and not sign.isascii() and sign not in MARKS}
    assert letters <= kept
