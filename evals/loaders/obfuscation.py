"""The obfuscation of BrowseComp-Plus: base64 of the UTF-8 text XOR the repeated SHA-256 digest of a canary string.

It keeps the questions out of web crawls, so the canary is not shipped with this package. The data set's own script
(`decrypt_dataset.py` of github.com/texttron/BrowseComp-Plus) names it; copy it into `canary.txt` beside the data.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from itertools import cycle
from pathlib import Path

from store.errors import UsageError

CANARY_FILE = "canary.txt"
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
MEND = (
    f"copy the canary string of the data set's own script (decrypt_dataset.py of github.com/texttron/BrowseComp-Plus) "
    f"into {CANARY_FILE} in the data's folder, or give it as the canary"
)


class Canary:
    """Hides and shows texts. White space around the string does not count."""

    def __init__(self, text: str) -> None:
        """Raises: UsageError for an empty string."""
        if not text.strip():
            raise UsageError(f"the canary is empty; {MEND}")
        self._key = hashlib.sha256(text.strip().encode()).digest()

    def hide(self, text: str) -> str:
        return base64.b64encode(self._mixed(text.encode())).decode()

    def show(self, hidden: str, *, where: str) -> str:
        """Raises: UsageError for what is no base64, and for another canary than the one it was hidden with."""
        try:
            text = self._mixed(base64.b64decode(hidden, validate=True)).decode()
        except binascii.Error as exc:
            raise UsageError(f"{where}: not obfuscated: {hidden[:40]!r} is no base64") from exc
        except UnicodeDecodeError as exc:
            raise UsageError(f"{where}: the canary does not fit; {MEND}") from exc
        # Another key may give valid UTF-8 by chance, but hardly without control characters.
        if _CONTROLS.search(text):
            raise UsageError(f"{where}: the canary does not fit; {MEND}")
        return text

    def _mixed(self, data: bytes) -> bytes:
        return bytes(byte ^ key for byte, key in zip(data, cycle(self._key), strict=False))


def is_hidden(text: str) -> bool:
    """Whether a question is obfuscated: base64 has no blanks, and every question has."""
    return not re.search(r"\s", text.strip())


def find_canary(folder: Path, *, given: str | None) -> Canary | None:
    """The one given (a string, or a file that holds it), else that of `canary.txt`; None without either."""
    if given is not None:
        file = Path(given).expanduser()
        return Canary(_read(file) if len(given) < 250 and file.is_file() else given)
    file = folder / CANARY_FILE
    return Canary(_read(file)) if file.is_file() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file}: cannot be read: {exc}") from exc
