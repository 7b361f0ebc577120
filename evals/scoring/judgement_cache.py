"""Judgements kept on disk: one JSON line each, appended whole. A killed process loses none that it has finished."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from agents.judging import Label, TokenUsage


class CachedScore(BaseModel, frozen=True, extra="forbid"):
    """A line of the file. `usage`: what it cost when it was made."""

    key: str
    judge: str
    prompt_sha256: str
    labels: tuple[Label, ...]
    reason: str
    usage: TokenUsage


class CacheTally(NamedTuple):
    hits: int
    misses: int
    damaged: int


class JudgementCache:
    """`path` None: in memory. Processes may share a file: each line is one append. They read it when they open it.

    Lines that can't be read (a power failure tears the last one) are counted as `damaged`, and judged again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._held: dict[str, CachedScore] = {}
        self._handle: int | None = None
        self._hits = self._misses = self._damaged = 0
        if path is not None:
            self._open(path)

    @property
    def tally(self) -> CacheTally:
        return CacheTally(self._hits, self._misses, self._damaged)

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: str) -> CachedScore | None:
        found = self._held.get(key)
        self._hits += found is not None
        self._misses += found is None
        return found

    def keep(self, score: CachedScore) -> None:
        self._held[score.key] = score
        if self._handle is not None:
            line = score.model_dump_json().encode() + b"\n"
            if os.write(self._handle, line) < len(line):
                raise OSError(f"{self.path}: a judgement was written in part; is the disk full?")

    def close(self) -> None:
        """Puts what was kept on the disk itself. Twice is once."""
        if self._handle is not None:
            os.fsync(self._handle)
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> JudgementCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        data = path.read_bytes()
        for line in data.splitlines():
            if line.strip():
                self._take(line)
        if data and not data.endswith(b"\n"):
            # The next line must not be glued to a torn one.
            os.write(self._handle, b"\n")

    def _take(self, line: bytes) -> None:
        try:
            score = CachedScore.model_validate_json(line)
        except ValidationError:
            self._damaged += 1
        else:
            self._held[score.key] = score
