"""First tokens, windows of sentences, names of pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.loaders.wikipedia import page_name
from store.chunking.sentences import sentence_windows, sentences
from store.chunking.tokens import ApproximateTokens, TokenizerFile
from store.errors import UsageError
from tests.evals.task_data import write_value

WORDS = {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}
TOKENIZER = {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": WORDS}


def test_an_estimate_cuts_near_the_tokens_of_a_large_model() -> None:
    tokens = ApproximateTokens()
    assert tokens.first("Net sales of 34,229", 5) == "Net sales of 34"
    assert tokens.first("short", 5) == "short"
    assert not tokens.exact


def test_a_tokenizer_cuts_exactly(tmp_path: Path) -> None:
    tokens = TokenizerFile(write_value(tmp_path / "tokenizer.json", TOKENIZER).parent)
    assert tokens.first("one  two three four", 3) == "one  two three"
    assert tokens.first("one two", 3) == "one two"
    assert tokens.first(f"one{' ' * 500}two three", 2) == f"one{' ' * 500}two"
    assert tokens.exact
    with pytest.raises(UsageError, match="no tokenizer"):
        TokenizerFile(tmp_path / "none.json")


def test_sentences_end_at_marks_but_not_at_initials() -> None:
    text = 'Mr. A. Smith left. "Why?" asked Dr. Jones.\nHe paid 3.5 pounds! Then e.g. Rome fell'
    assert sentences(text) == [
        "Mr. A. Smith left.",
        '"Why?" asked Dr. Jones.',
        "He paid 3.5 pounds!",
        "Then e.g. Rome fell",
    ]


def test_windows_hold_about_so_many_words() -> None:
    text = " ".join(f"Sentence number {n} has exactly seven words." for n in range(40))
    windows = sentence_windows(text, words=100)
    assert [len(window.split()) for window in windows] == [98, 98, 84]
    assert " ".join(windows) == text
    assert sentence_windows(" \n ", words=100) == []


@given(st.text())
def test_windows_lose_no_word(text: str) -> None:
    assert "".join(" ".join(sentence_windows(text, words=10)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://en.wikipedia.org/wiki/Ada_Lovelace#Life", "Ada Lovelace"),
        ("http://en.wikipedia.org/wiki/Zo%C3%AB", "Zoë"),
        ("https://en.wikipedia.org/wiki?curid=974", "curid=974"),
        ("ada_Lovelace ", "Ada Lovelace"),
        ("AC/DC", "AC/DC"),
        ("https://example.org/x", ""),
        ("", ""),
    ],
)
def test_one_page_has_one_name(text: str, name: str) -> None:
    assert page_name(text) == name
