"""The obfuscation of BrowseComp-Plus: there and back, and a wrong canary."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.loaders.obfuscation import Canary, find_canary, is_hidden
from store.errors import UsageError

PRINTED = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)


@given(text=PRINTED, canary=st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip))
def test_there_and_back(text: str, canary: str) -> None:
    assert Canary(canary).show(Canary(canary).hide(text), where="f") == text


def test_the_form_is_the_published_one() -> None:
    """Written out once more: base64 of the bytes XOR the digest, which begins anew after 32 bytes."""
    text = "Which river, over forty letters long, is it?"
    key = hashlib.sha256(b"a canary").digest()
    mixed = bytes(byte ^ key[n % 32] for n, byte in enumerate(text.encode()))
    assert len(text) > 32
    assert Canary("a canary").hide(text) == base64.b64encode(mixed).decode()


def test_a_wrong_canary_is_told() -> None:
    hidden = Canary("right").hide("Which river flows through a town with seven bridges?")
    with pytest.raises(UsageError, match=r"q\.parquet: row 1: query: the canary does not fit; copy the canary string"):
        Canary("wrong").show(hidden, where="q.parquet: row 1: query")


def test_hardly_any_wrong_canary_slips_through() -> None:
    hidden = Canary("right").hide("Which river flows through a town with seven bridges?")
    slipped = 0
    for number in range(300):
        try:
            Canary(f"wrong {number}").show(hidden, where="")
        except UsageError:
            continue
        slipped += 1
    assert slipped == 0


def test_what_is_no_base64_is_told() -> None:
    with pytest.raises(UsageError, match="not obfuscated: 'plain text' is no base64"):
        Canary("c").show("plain text", where="f: query")
    with pytest.raises(UsageError, match="the canary is empty"):
        Canary(" \n")


def test_hidden_questions_are_told_from_plain_ones() -> None:
    assert is_hidden(Canary("c").hide("Who was it?"))
    assert not is_hidden("Who was it?")


def test_the_canary_is_given_as_text_or_file_or_lies_beside_the_data(tmp_path: Path) -> None:
    hidden = Canary("tweet").hide("Who?")
    assert find_canary(tmp_path, given=None) is None
    (tmp_path / "canary.txt").write_text("tweet\n")
    (tmp_path / "other").write_text("tweet")
    for canary in (
        find_canary(tmp_path, given=None),
        find_canary(tmp_path / "x", given="tweet"),
        find_canary(tmp_path / "x", given=str(tmp_path / "other")),
    ):
        assert canary is not None
        assert canary.show(hidden, where="") == "Who?"
