"""The embedded policy's tokenizers: nothing a user types is unknown, names look the same wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karl.tiny.make import vocabulary_texts
from karl.tiny.tokenizer import END, TAGS, TokenizerKind, make_tokenizer

TOKENIZERS = {kind: make_tokenizer(vocabulary_texts(), kind=kind) for kind in ("words", "bpe")}


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=st.text(min_size=1, max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_survives_the_round_trip(kind: TokenizerKind, text: str) -> None:
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.unk_token_id is None
    special = any(token in text for token in tokenizer.all_special_tokens + TAGS) or "[" in text
    if not special:
        # The prefix space is the tokenizer's own.
        assert tokenizer.decode(ids) in (text, f" {text}")


def test_words_of_the_companies_are_single_tokens_and_others_fall_back_to_bytes() -> None:
    tokenizer = TOKENIZERS["words"]
    assert len(tokenizer.encode("Mira Holt leads the Atlas team.", add_special_tokens=False)) == 7
    assert len(tokenizer.encode("Zwyx", add_special_tokens=False)) == 5  # a space and four bytes
    assert len(tokenizer) < 800


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_name_is_the_same_token_in_a_sentence_and_inside_a_tag(kind: TokenizerKind) -> None:
    tokenizer = TOKENIZERS[kind]
    name = tokenizer.encode("Porto", add_special_tokens=False)
    inside = tokenizer.encode("<answer>Porto</answer>", add_special_tokens=False)
    sentence = tokenizer.encode("lives in Porto", add_special_tokens=False)
    assert inside[1:-1] == name == sentence[-len(name) :]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tags_and_turn_ends_are_single_tokens(kind: TokenizerKind) -> None:
    tokenizer = TOKENIZERS[kind]
    for token in [END, *TAGS, "[1]", "[32]"]:
        assert len(tokenizer.encode(token, add_special_tokens=False)) == 1
