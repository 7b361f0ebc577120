"""From bytes to text: UTF-8 where they are nearly that, UTF-16 by its mark, a page's declared charset, Windows-1252."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from store.readers.base import ReadError

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Bytes that no text has in any of these encodings, but for a stray one.
_CONTROLS = bytes([*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
_META_CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)
# Python's names of what pages come in, but for UTF-8; browsers take Latin-1 and ASCII for Windows-1252
# (https://encoding.spec.whatwg.org/#names-and-labels). A <meta> that can be read is not in UTF-16, whatever it says.
_PAGES = ("cp125", "cp874", "cp932", "iso8859-", "koi8-", "mac-", "gb", "big5", "euc_", "shift_jis", "iso2022_")
_WINDOWS = frozenset({"iso8859-1", "ascii"})


class Decoded(NamedTuple):
    """problems: what could not be told, for whoever looks after the corpus."""

    text: str
    problems: list[str]


def decode(data: bytes) -> Decoded:
    """UTF-8 (with or without mark, a few bytes of it broken), UTF-16 with mark, else Windows-1252.

    Raises: ReadError for what is no text.
    """
    mark = _mark(data)
    if mark == "utf-16":
        return Decoded(_utf16(data), [])
    if len(data.translate(None, _CONTROLS)) < len(data) - len(data) // 100:
        raise ReadError("unreadable: binary contents, not text")
    try:
        return Decoded(data.decode("utf-8-sig"), [])
    except UnicodeDecodeError:
        return _nearly_utf8(data) or Decoded(data.decode("cp1252", errors="replace"), [])


def _mark(data: bytes) -> str:
    return next((name for mark, name in _MARKS.items() if data.startswith(mark)), "")


def _utf16(data: bytes) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as exc:
        raise ReadError(f"unreadable: broken UTF-16 at byte {exc.start}") from exc


def _nearly_utf8(data: bytes) -> Decoded | None:
    """One broken byte must not turn all other letters of a text into signs of another encoding."""
    text = data.decode("utf-8-sig", errors="replace")
    broken = text.count("\ufffd") - data.count("\ufffd".encode())
    foreign = sum(1 for sign in text if sign > "\x7f") - text.count("\ufffd")
    if foreign <= broken:
        return None
    return Decoded(text, [f"{broken} bytes are no UTF-8: shown as \ufffd"])


def decode_html(data: bytes) -> Decoded:
    """By the mark, then by the declared charset as browsers take it, then as any text. Raises: ReadError."""
    declared = None if _mark(data) else _META_CHARSET.search(data[:2048])
    name = _codec(declared[1].decode("ascii", errors="replace")) if declared else ""
    try:
        return Decoded(data.decode(name), []) if name else decode(data)
    except UnicodeError:  # the declaration is wrong, as it often is
        return decode(data)


def _codec(label: str) -> str:
    """Python's name of the encoding; "" where the bytes themselves decide."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    if name in _WINDOWS:
        return "cp1252"
    return name if name.startswith(_PAGES) else ""
