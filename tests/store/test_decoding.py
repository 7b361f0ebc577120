"""From bytes to text: what is UTF-8 with a broken byte, what a page declares, what is no text at all."""

from __future__ import annotations

import random

import pytest

from store.readers.base import ReadError
from store.readers.decoding import decode, decode_html


def test_a_broken_byte_costs_itself() -> None:
    decoded = decode("Größe über alles\n".encode() + b"\xff" + " Straße".encode())
    assert decoded.text == "Größe über alles\n\ufffd Straße"
    assert decoded.problems == ["1 bytes are no UTF-8: shown as \ufffd"]


def test_windows_letters_are_no_broken_utf8() -> None:
    decoded = decode("Größe über alles".encode("cp1252"))
    assert (decoded.text, decoded.problems) == ("Größe über alles", [])


def test_a_replacement_character_of_the_text_is_not_counted() -> None:
    assert decode("ä \ufffd".encode()).problems == []


def test_random_bytes_are_no_text() -> None:
    with pytest.raises(ReadError, match="binary contents"):
        decode(random.Random(0).randbytes(5_000))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<p>Größe</p>".encode("utf-16"), "<p>Größe</p>"),
        ("\ufeff<meta charset=latin1><p>Größe</p>".encode(), "<meta charset=latin1><p>Größe</p>"),
        ("<meta charset=utf-16><p>Größe</p>".encode(), "<meta charset=utf-16><p>Größe</p>"),
        (b"<meta charset=iso-8859-1>\x93so\x94", "<meta charset=iso-8859-1>\u201cso\u201d"),
        ('<meta charset="koi8-r">да'.encode("koi8-r"), '<meta charset="koi8-r">да'),
        ('<meta charset="undefined">ä'.encode(), '<meta charset="undefined">ä'),
        ('<meta charset="punycode">ä'.encode(), '<meta charset="punycode">ä'),
        (b'<meta charset="shift_jis">\x85', '<meta charset="shift_jis">\u2026'),
    ],
)
def test_pages_as_browsers_read_them(data: bytes, text: str) -> None:
    assert decode_html(data).text == text
