"""Functions compiled by numba: other threads run beside them; kept on disk from one process to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba import types

Function = Callable[..., Any]

INT, FLOAT = types.int64, types.float32
# Arrays mapped from disk are read-only; a signature that asks for no more takes others as well.
INTS = types.Array(types.int32, 1, "C", readonly=True)
COUNTS = types.Array(types.uint16, 1, "C", readonly=True)
PLACES = types.Array(types.int64, 1, "C", readonly=True)
FLOATS = types.Array(types.float32, 1, "C", readonly=True)
INTS_OUT = types.Array(types.int32, 1, "C")
FLOATS_OUT = types.Array(types.float32, 1, "C")
INT_ROWS_OUT = types.Array(types.int32, 2, "C")
FLOAT_ROWS_OUT = types.Array(types.float32, 2, "C")


def compiled(signature: Any) -> Callable[[Function], Function]:
    """Compiled for one signature when its module is imported: in milliseconds wherever that was done before."""

    def compile_function(function: Function) -> Function:
        try:
            return numba.njit(signature, nogil=True, error_model="numpy", cache=True)(function)
        except RuntimeError as exc:
            if "cannot cache function" not in str(exc):
                raise
            # Neither the package's folder nor the user's cache folder can be written: compiled in every process.
            return numba.njit(signature, nogil=True, error_model="numpy")(function)

    return compile_function
