"""Packing of segments."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import binary
from store.errors import KarlError


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_ids_come_back(ids: list[int]) -> None:
    assert binary.unpack_ids(binary.pack_ids(ids)).tolist() == ids


@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_floats_come_back(values: list[float]) -> None:
    assert binary.unpack_floats(binary.pack_floats(values)).tolist() == values


def test_layout_is_little_endian() -> None:
    assert binary.pack_ids([1, 258]) == b"\x01\0\0\0\x02\x01\0\0"
    assert binary.pack_mask([0, 1, 1]) == b"\0\1\1"
    assert binary.pack_floats([1.0]) == b"\0\0\x80\x3f"
    assert binary.unpack_mask(b"\0\1").dtype == np.uint8


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(struct.error):
        binary.pack_ids([2**31])
    with pytest.raises(ValueError, match="0 and 1"):
        binary.pack_mask([0, 2])
    with pytest.raises(KarlError, match="damaged"):
        binary.unpack_ids(b"\0\0\0")
