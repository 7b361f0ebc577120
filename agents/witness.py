"""What the engine saw, kept apart from the conversation: checksums that a stored segment must match."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

from agents.engines.base import GenerateRequest, Generation
from store.types import SegmentRecord


class Witness:
    """CRC-32 of every (prompt, continuation) that went through the engine in one rollout; ids as int32, little-endian.

    A prompt extends the one before it, so only what is new is read: all of it at every turn would be quadratic.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._opened = ""
        self._read = (0, 0)  # ids of the open prompt that were read, and their checksum

    def saw(self, request: GenerateRequest, generation: Generation, *, opened: str) -> None:
        """`opened` names the fresh prompt that the request extends."""
        if not request.prompt_ids:  # a chat endpoint's messages
            return
        if opened != self._opened:
            self._opened, self._read = opened, (0, 0)
        count, crc = self._read
        crc = checksum(request.prompt_ids[count:], crc)
        self._read = len(request.prompt_ids), crc
        self._seen.add(checksum(generation.token_ids, crc))

    def sign(self, segments: Sequence[SegmentRecord]) -> list[SegmentRecord]:
        """Each segment with its checksum; 0 where the engine saw other ids."""
        signed = [(segment, checksum(segment.token_ids)) for segment in segments]
        return [replace(segment, engine_crc=crc if crc in self._seen else 0) for segment, crc in signed]


def checksum(ids_T: Sequence[int], crc: int = 0) -> int:
    """CRC-32 of T ids, going on from `crc`."""
    return zlib.crc32(struct.pack(f"<{len(ids_T)}i", *ids_T), crc)
