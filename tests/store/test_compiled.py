"""What compiled search stands on: functions that no cache takes, work in parts, the best of scored passages."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numba.core import caching

import store
from store.vectors import spread
from store.vectors.compiled import INT, compiled
from store.vectors.topk import best_first, heap_of_best


def test_a_function_that_cannot_be_cached_is_compiled_all_the_same() -> None:
    made: dict[str, object] = {}
    exec("def twice(x):\n    return 2 * x", made)  # of no file: nowhere to keep it
    twice = compiled(INT(INT))(made["twice"])  # type: ignore[arg-type]
    assert twice(21) == 42 and twice.nopython_signatures  # type: ignore[attr-defined]


def test_other_errors_of_the_compiler_are_told() -> None:
    with pytest.raises(Exception, match="unknown_name"):
        compiled(INT(INT))(lambda x: x + unknown_name)  # type: ignore[name-defined]  # noqa: F821


KEPT = """
from store.vectors.compiled import INT, compiled

@compiled(INT(INT))
def twice(x):
    return 2 * x

print(twice(21), sum(twice.stats.cache_hits.values()))
"""


def cached(folder: Path) -> str:
    return subprocess.run(
        [sys.executable, folder / "kept.py"],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            "PYTHONPATH": str(Path(store.__file__).parents[1]),
        },
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_cache_stops_nothing_and_is_made_anew(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "kept.py").write_text(KEPT)
    for size in (0, 10):
        cached(tmp_path)
        assert cached(tmp_path) == "42 1"
        (file,) = (tmp_path / "cache").rglob(f"*.{suffix}")
        file.write_bytes(file.read_bytes()[:size])
        assert cached(tmp_path) == "42 0"


def test_a_full_disk_below_the_cache_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", full)
    (tmp_path / "made.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert compiled(INT(INT))(importlib.import_module("made").twice)(21) == 42


@pytest.mark.parametrize("cores", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_parts_keep_their_order(cores: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_cores", lambda: cores)
    sizes: list[int] = []

    def doubled(part: list[int]) -> list[int]:
        sizes.append(len(part))
        return [2 * n for n in part]

    assert spread.spread(doubled, list(range(count))) == [2 * n for n in range(count)]
    assert len(sizes) == max(1, min(cores, count // spread.ENOUGH)) and max(sizes) - min(sizes) <= 1


def test_parts_run_beside_each_other_and_an_error_in_any_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_cores", lambda: 2)
    both = threading.Barrier(2, timeout=60)

    def met(part: list[int]) -> list[int]:
        both.wait()  # passes only where two are there at once
        if part[-1] == 31:
            raise ValueError("the second")
        return part

    with pytest.raises(ValueError, match="the second"):
        spread.spread(met, list(range(32)))


def test_threads_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = spread._pool(os.getpid())
    assert spread._pool(os.getpid()) is before and spread._pool(os.getpid() + 1) is not before


@pytest.mark.parametrize("k", [1, 3, 7, 500])
def test_the_best_chunks_are_those_of_sorting(k: int) -> None:
    rng = np.random.default_rng(k)
    owners_D = np.sort(rng.integers(0, 90, size=300)).astype(np.int32)
    total_D = rng.integers(0, 12, size=300).astype(np.float32)  # many ties, many without a score
    found_F = rng.permutation(300).astype(np.int32)
    best_N = np.zeros(90, dtype=np.float32)
    chunks, scores = best_first(*heap_of_best(found_F, total_D, owners_D, best_N, k, np.float32(1e-9)))
    wanted = np.zeros(90, dtype=np.float32)
    np.maximum.at(wanted, owners_D, total_D)
    order = [n for n in np.argsort(-wanted, kind="stable").tolist() if wanted[n] > 0][:k]
    assert chunks.tolist() == order and scores.tolist() == wanted[order].tolist()
    assert not best_N.any()
