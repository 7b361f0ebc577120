"""Characters of the world's scripts as ranges for a class `[...]` of a regular expression."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator

# Words stand without blanks between them, or (Hangul) in forms with endings: Han, kana, Bopomofo, Hangul, Thai, Lao,
# Khmer, Burmese. Their vowel signs and tones are marks.
UNSPACED = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u102a\u103f\u1050-\u1055\u1780-\u17b3"  # Burmese, Khmer
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"  # Hangul
    "\u3005-\u3007\u3041-\u3096\u309d\u309e\u30a1-\u30fa\u30fc-\u30fe\u3105-\u312f\u31f0-\u31ff"  # kana, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"  # Han
)
END_MARKS = "\u3002\uff01\uff1f\uff61\u0964\u0965\u061f\u06d4\u104b\u17d4\u17d5"  # no blank need follow
BEYOND = "\U00010000-\U0010ffff"  # the basic plane
_LAST = 0x1FFFF  # no marks beyond, but for variation selectors


def _ranges(categories: tuple[str, ...]) -> Iterator[str]:
    start = None
    for code in range(_LAST + 1):
        inside = unicodedata.category(chr(code)) in categories
        if inside and start is None:
            start = code
        if not inside and start is not None:
            yield f"{chr(start)}-{chr(code - 1)}"
            start = None


MARKS = sys.intern("".join(_ranges(("Mn", "Mc"))))
"""They belong to the letter before them: vowel signs, accents that have no letter of their own."""


def basic(ranges: str) -> str:
    """Those of the ranges that lie in the basic plane."""
    return "".join(sign for sign in re.findall(".-.|.", ranges) if sign <= "\uffff")
