"""What the engine saw against what is kept."""

from __future__ import annotations

import zlib

from agents.engines.base import GenerateRequest, Generation, SamplingParams
from agents.witness import Witness, checksum
from store import binary
from store.types import SegmentRecord

PARAMS = SamplingParams(max_tokens=4)


def segment(*ids: int) -> SegmentRecord:
    return SegmentRecord(list(ids), [1] * len(ids), [0.0] * len(ids))


def see(witness: Witness, prompt: list[int], sampled: list[int], opened: str = "1") -> None:
    witness.saw(GenerateRequest(prompt, PARAMS), Generation(sampled, [0.0] * len(sampled), "stop"), opened=opened)


def test_the_checksum_is_of_the_stored_bytes() -> None:
    assert checksum([1, -2, 300_000]) == zlib.crc32(binary.pack_ids([1, -2, 300_000]))
    assert checksum([3], checksum([1, 2])) == checksum([1, 2, 3])


def test_growing_prompts_candidates_and_fresh_ones() -> None:
    witness = Witness()
    see(witness, [1, 2], [3])
    see(witness, [1, 2, 3, 4], [5])
    see(witness, [1, 2, 3, 4], [6, 7])  # another candidate for the same turn
    see(witness, [9], [8], opened="2")
    signed = witness.sign([segment(1, 2, 3, 4, 6, 7), segment(1, 2, 3), segment(9, 8), segment(1, 2, 3, 4, 8)])
    assert [record.engine_crc for record in signed] == [
        checksum([1, 2, 3, 4, 6, 7]),
        checksum([1, 2, 3]),
        checksum([9, 8]),
        0,
    ]


def test_a_token_changed_under_the_conversation_is_found() -> None:
    witness, ids = Witness(), [1, 2]
    see(witness, ids, [3])
    ids += [3, 4]
    ids[0] = 7  # what was sent before is not what stands there now
    see(witness, ids, [5])
    assert witness.sign([segment(*ids, 5)])[0].engine_crc == 0
