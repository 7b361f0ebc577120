"""The end of a file that grows, read in small pieces."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from typing import IO, NamedTuple

FIRST = 64 * 1024  # bytes of what was there before
PIECE = 256 * 1024  # bytes at once
# Colours and cursor movements of a terminal, and whatever else is no text.
NO_TEXT = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class Said(NamedTuple):
    """text: what came; anew: forget what came before, it is another file; exists: there is a file."""

    text: str
    anew: bool
    exists: bool


class LogTail:
    """Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None  # device and number: a log may be replaced
        self._at = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def read(self) -> Said:
        """What was written since the last time, at most `PIECE` bytes. Raises: OSError, but not where there is none."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            anew, self._file = self._file is not None, None
            return Said("", anew, exists=False)
        with file:
            anew = self._found(file)
            piece = file.read(PIECE)
        self._at += len(piece)
        text = self._decoder.decode(piece)
        # What a terminal would have drawn over stands in a line of its own.
        return Said(NO_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")), anew, exists=True)

    def _found(self, file: IO[bytes]) -> bool:
        """Go to where it was left; True for another file, of which only the end is read."""
        stat = os.fstat(file.fileno())
        if (stat.st_dev, stat.st_ino) == self._file and stat.st_size >= self._at:
            file.seek(self._at)
            return False
        self._file = (stat.st_dev, stat.st_ino)
        self._decoder.reset()
        file.seek(max(0, stat.st_size - FIRST))
        if file.tell():
            file.readline()  # the rest of a line
        self._at = file.tell()
        return True
