"""Functions compiled by numba: other threads run beside them; kept on disk from one process to the next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba
from numba import types
from numba.core.caching import FunctionCache

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
    """Compiled for one signature when its module is imported: in milliseconds wherever that was done before.

    No folder that can be written, a full disk, a file of the cache that was cut short: the function is compiled all the
    same, and the next process caches it anew. Raises: numba's errors about the function itself.
    """

    def compile_function(function: Function) -> Function:
        try:
            return numba.njit(signature, nogil=True, error_model="numpy", cache=True)(function)
        except Exception:  # the cache's are OSError, EOFError, RuntimeError and whatever pickle raises
            _forget(function)
        return numba.njit(signature, nogil=True, error_model="numpy")(function)

    return compile_function


def _forget(function: Function) -> None:
    """What the cache has of it, where there is a cache that can be written."""
    with suppress(Exception):
        FunctionCache(function).flush()
