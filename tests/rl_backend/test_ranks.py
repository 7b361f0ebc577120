"""What two real processes of a group do together when one of them fails, or sees another disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.distributed as dist

from rl_backend.batch import Batch, pack
from rl_backend.checkpoint import weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.drift import settle_reference
from rl_backend.identity import identity_of
from rl_backend.index import TrainingIndex
from rl_backend.offending import keep_offending
from rl_backend.ranks import shared_folder
from rl_backend.training_state import Progress
from tests.rl_backend.test_checkpoint import largest_file
from tests.rl_backend.toy import examples_of, loader_of, random_rollouts

CONFIG = TrainConfig(batch_rollouts=8, reference="trainer")
Both = Callable[[Callable[[int], Any]], list[Any]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Calls a function on two ranks; what it returned on each, or its error as text."""
    meetings = iter(range(100))
    folder = tmp_path_factory.mktemp("meetings")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def call(work: Callable[[int], Any]) -> list[Any]:
            meeting = folder / str(next(meetings))
            # Each waits for the other to join, so that no process takes both.
            begun = [pool.submit(as_rank, work, rank, meeting) for rank in (0, 1)]
            return [each.result(timeout=300) for each in begun]

        yield call


def as_rank(work: Callable[[int], Any], rank: int, meeting: Path) -> Any:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    try:
        return work(rank)
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def batch(base: Path) -> Batch:
    return pack(examples_of(random_rollouts(base, groups=2), config=CONFIG), config=CONFIG)


def keep_slowly(rank: int, *, folder: Path, batch: Batch) -> tuple[str, list[str]]:
    save = np.savez_compressed

    def slow(*arguments: Any, **arrays: Any) -> None:
        time.sleep(1)
        save(*arguments, **arrays)

    np.savez_compressed = slow
    try:
        said = keep_offending(folder, 3, batch)
    finally:
        np.savez_compressed = save
    return said, [path.name for path in folder.iterdir()]


@pytest.mark.slow
def test_no_rank_raises_before_the_offending_batch_is_whole(both: Both, batch: Batch, tmp_path: Path):
    found = both(partial(keep_slowly, folder=tmp_path, batch=batch))
    kept = tmp_path / "offending-000003.npz"
    assert found == [(f"The batch of that step is in {kept}", [kept.name])] * 2
    assert np.load(kept)["lengths"].sum() == batch.token_count


def identified(rank: int, *, base: Path, index: TrainingIndex) -> dict[str, str]:
    return identity_of(index, base=base if rank == 0 else base / "not here", settings="{}")


@pytest.mark.slow
def test_the_base_is_read_by_one_rank(both: Both, base: Path):
    index = loader_of(random_rollouts(base, groups=2), config=CONFIG).index
    ours, theirs = both(partial(identified, base=base, index=index))
    assert ours == theirs and ours["base checkpoint"] == weights_sha256(base)


def run_out_of_room(rank: int, *, folder: Path) -> None:
    with largest_file(10_000 if rank == 1 else -1), shared_folder(folder) as aside:
        torch.save(torch.zeros(100_000), aside / f"shard-{rank}.pt")


@pytest.mark.slow
def test_a_disk_that_is_full_for_another_rank_is_told_with_the_mend(both: Both, tmp_path: Path):
    _, said = both(partial(run_out_of_room, folder=tmp_path / "step-000003"))
    assert said.startswith(f"KarlError: {tmp_path}/step-000003: the checkpoint could not be written: ")
    assert "Free some space and run the same command again" in said
    assert not (tmp_path / "step-000003").exists()


def settle(rank: int, *, folders: list[Path], base: Path) -> None:
    loader = loader_of(random_rollouts(base, groups=2), config=CONFIG)
    settle_reference(cast(Any, None), loader, Progress(steps=3), config=CONFIG, folder=folders[rank])


@pytest.mark.slow
def test_ranks_that_see_different_files_do_the_same(both: Both, base: Path, tmp_path: Path):
    """Rank 1, whose disk has no reference, reads it nonetheless, and does not compute what rank 0 takes no part in."""
    (tmp_path / "here").mkdir()
    np.zeros(100_000, np.float32).tofile(tmp_path / "here" / "reference.f32")
    ours, theirs = both(partial(settle, folders=[tmp_path / "here", tmp_path / "there"], base=base))
    assert ours is None and theirs.startswith("FileNotFoundError: ")
