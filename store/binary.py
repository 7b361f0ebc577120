"""Segments as compact bytes: token ids int32, loss mask uint8, log-probs float32, all little-endian.

numpy is imported when the first are read: who only lists runs waits for no import.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from store.errors import KarlError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pack_ids(ids_T: Sequence[int]) -> bytes:
    """4 T bytes. Raises: struct.error for an id outside int32."""
    return struct.pack(f"<{len(ids_T)}i", *ids_T)


def pack_mask(mask_T: Sequence[int]) -> bytes:
    """T bytes of 0 and 1. Raises: ValueError for any other value."""
    packed = bytes(mask_T)
    if packed.strip(b"\0\1"):
        raise ValueError("a loss mask holds 0 and 1 only")
    return packed


def pack_floats(values_T: Sequence[float]) -> bytes:
    """4 T bytes, rounded to float32. Raises: OverflowError for a finite value outside float32."""
    return struct.pack(f"<{len(values_T)}f", *values_T)


def unpack_ids(data: bytes) -> NDArray[np.int32]:
    """T ids, read-only. Raises: KarlError for a cut blob."""
    return _unpack(data, dtype="<i4")


def unpack_mask(data: bytes) -> NDArray[np.uint8]:
    """T of 0/1, read-only."""
    return _unpack(data, dtype="u1")


def unpack_floats(data: bytes) -> NDArray[np.float32]:
    """T floats, read-only. Raises: KarlError for a cut blob."""
    return _unpack(data, dtype="<f4")


def _unpack(data: bytes, *, dtype: str) -> NDArray:
    import numpy as np

    size = np.dtype(dtype).itemsize
    if len(data) % size:
        raise KarlError(
            f"a segment's blob of {len(data)} bytes is no array of {size}-byte values: the store is damaged"
        )
    return np.frombuffer(data, dtype=dtype)
