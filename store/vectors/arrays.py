"""Arrays on disk: written to the last byte before they count, read by mapping, so that processes share their pages."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_reading = threading.Lock()


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Raises: OSError, for a full disk too."""
    header = np.lib.format.header_data_from_array_1_0(array)
    with path.open("wb") as file:
        # np.save hides the reason of a write that failed.
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.tobytes("F" if header["fortran_order"] else "C"))
        file.flush()
        os.fsync(file.fileno())


def load_array(path: Path) -> NDArray[Any]:
    """Read-only. Raises: OSError; ValueError for a file that is cut short or no array."""
    if not path.stat().st_size:
        raise ValueError(f"{path}: empty")
    mapped = _mapped(path)
    # A plain array over the same pages: slicing a memmap costs a microsecond more.
    return mapped.view(np.ndarray)


def _mapped(path: Path) -> NDArray[Any]:
    """numpy parses an array's head as Python, which CPython 3.11 may fail at while another thread parses something."""
    with _reading:
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except SystemError:  # github.com/python/cpython/issues/106905
            return np.load(path, mmap_mode="r", allow_pickle=False)
