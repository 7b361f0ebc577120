"""The first n tokens of a text: counted by a model's tokenizer where it is at hand, else estimated."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from store.errors import UsageError

# A run of up to seven letters, a digit, or any other sign: near what byte-level BPEs of large models make of English.
_PIECE = re.compile(r"[^\W\d_]{1,7}|\d|[^\w\s]|_")

CHARACTERS = 20  # a token, generously


class Tokens(Protocol):
    """`exact`: whether a real tokenizer counts."""

    exact: bool

    def first(self, text: str, n: int) -> str: ...


class ApproximateTokens:
    """No tokenizer needed; the cut falls a few words off the published one."""

    exact = False

    def first(self, text: str, n: int) -> str:
        for count, match in enumerate(_PIECE.finditer(text), start=1):
            if count == n:
                return text[: match.end()]
        return text


def _file(path: str | Path) -> Path:
    file = Path(path).expanduser()
    return file / "tokenizer.json" if file.is_dir() else file


@lru_cache(maxsize=4)
def tokenizer_sha256(path: str) -> str:
    """Of the file as this process first saw it; "" where there is none: opening it will say so."""
    try:
        return hashlib.sha256(_file(path).read_bytes()).hexdigest()
    except OSError:
        return ""


class TokenizerFile:
    """Counts with a `tokenizer.json`, or a folder that has one."""

    exact = True

    def __init__(self, path: str | Path) -> None:
        """Raises: UsageError for a file that is no tokenizer."""
        from tokenizers import Tokenizer

        file = _file(path)
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        # The package raises bare Exception for a missing and for a broken file.
        except Exception as exc:
            raise UsageError(f"{file}: no tokenizer: {exc}") from exc

    def first(self, text: str, n: int) -> str:
        # Few tokens are longer than that; a document may be a whole book.
        for part in (text[: CHARACTERS * n], text):
            offsets = self._tokenizer.encode(part, add_special_tokens=False).offsets
            if len(offsets) > n:
                return part[: offsets[n - 1][1]]
        return text
