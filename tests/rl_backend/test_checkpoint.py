"""Folders are checked before use and written all or nothing, also on a disk that is really out of room."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rl_backend.checkpoint import atomic_file, atomic_folder, check_model_folder, weights_sha256, write_config
from store.errors import KarlError, UsageError


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to grow any file beyond `size` bytes: writes fail as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_good_folder_passes(base: Path):
    check_model_folder(base)
    assert len(weights_sha256(base)) == 64


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "no such model folder"),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "not readable as JSON"),
        (lambda folder: (folder / "config.json").write_text("{}"), "'architectures'"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"no \*.safetensors"),
        (lambda folder: os.truncate(folder / "model.safetensors", 5000), "corrupt or cut short"),
    ],
)
def test_a_missing_or_corrupt_folder_is_named(base: Path, tmp_path: Path, damage, said: str):
    folder = tmp_path / "hurt"
    shutil.copytree(base, folder)
    damage(folder)
    with pytest.raises(UsageError, match=said) as caught:
        check_model_folder(folder)
    assert str(folder) in str(caught.value)


def test_success_leaves_only_the_folder(tmp_path: Path):
    with atomic_folder(tmp_path / "out") as aside:
        (aside / "a").write_text("new")
        assert not (tmp_path / "out").exists()
    assert files(tmp_path) == {"out"}
    assert (tmp_path / "out" / "a").read_text() == "new"


def test_a_folder_is_replaced_whole(tmp_path: Path):
    for text, name in (("old", "a"), ("new", "b")):
        with atomic_folder(tmp_path / "out") as aside:
            (aside / name).write_text(text)
    assert files(tmp_path / "out") == {"b"}
    assert files(tmp_path) == {"out"}


def test_a_write_that_runs_out_of_room_changes_nothing(tmp_path: Path):
    with atomic_folder(tmp_path / "out") as aside:
        (aside / "a").write_text("old")
    with (
        pytest.raises(KarlError, match="could not be written") as caught,
        largest_file(1000),
        atomic_folder(tmp_path / "out") as aside,
    ):
        (aside / "a").write_bytes(b"x" * 5000)
    assert caught.value.exit_code == 1
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert files(tmp_path) == {"out"}


def test_a_disk_that_fills_up_while_syncing_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KarlError, match="No space left"), atomic_folder(tmp_path / "out") as aside:
        (aside / "a").write_text("new")
    assert files(tmp_path) == set()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was brought to the disk, in order, by the name that it had then."""
    found, fsync = list[Path](), os.fsync

    def noted(handle: int) -> None:
        fsync(handle)
        found.append(Path(os.readlink(f"/proc/self/fd/{handle}")))

    monkeypatch.setattr(os, "fsync", noted)
    return found


def test_all_of_a_folder_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, synced: list[Path]):
    with atomic_folder(tmp_path / "new" / "out") as aside:
        (aside / "shards" / "of").mkdir(parents=True)
        (aside / "shards" / "of" / "a").write_text("a")
    home = tmp_path / "new"
    assert synced[-1] == home and synced.count(home) == 2  # for the name aside, and for the last one
    assert tmp_path in synced  # which has `new`
    before = {path.relative_to(aside).as_posix() for path in synced if path.is_relative_to(aside)}
    assert before == {".", "shards", "shards/of", "shards/of/a"}


def test_a_file_is_on_the_disk_before_it_replaces_another(tmp_path: Path, synced: list[Path]):
    path = tmp_path / "note.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as stream:
        stream.write(b"half")
        _ = 1 / 0
    assert path.read_text() == "old" and files(tmp_path) == {"note.json"} and synced == []
    with atomic_file(path) as stream:
        stream.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and files(tmp_path) == {"note.json"}
    assert synced == [tmp_path / ".note.json.partial", tmp_path]


def test_a_bug_is_not_called_a_full_disk(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "out"):
        _ = 1 / 0
    assert files(tmp_path) == set()


def test_a_kill_between_the_renames_is_mended_by_the_next_write(tmp_path: Path):
    (tmp_path / ".out.replaced").mkdir()
    (tmp_path / ".out.replaced" / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "out"):
        _ = 1 / 0
    assert (tmp_path / "out" / "a").read_text() == "old"


def test_config_says_one_dtype(base: Path, tmp_path: Path):
    source = tmp_path / "source"
    shutil.copytree(base, source)
    settings = {**json.loads((source / "config.json").read_text()), "torch_dtype": "bfloat16", "dtype": "bfloat16"}
    (source / "config.json").write_text(json.dumps(settings))
    write_config(source, tmp_path, dtype="float32")
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["dtype"] == "float32" and "torch_dtype" not in written
