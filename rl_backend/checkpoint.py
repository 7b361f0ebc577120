"""Model folders on disk: checked before use, written aside and renamed, hashed. No verl; torch only to read weights."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from store.errors import KarlError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.safetensors.index.json", "*.bin.index.json")


def check_model_folder(path: Path) -> None:
    """Raise UsageError, naming the folder and file, unless it holds a readable config and safetensors weights."""
    if not path.is_dir():
        raise UsageError(f"{path}: no such model folder; give the path of a Hugging Face checkpoint")
    config = path / "config.json"
    if not config.is_file():
        raise UsageError(f"{path}: not a model folder: it has no config.json")
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise UsageError(f"{config}: not readable as JSON: {exc}; fetch or remake the checkpoint") from exc
    if not isinstance(settings, dict) or len(settings.get("architectures") or ()) != 1:
        raise UsageError(f"{config}: key 'architectures' must name one model class")
    if not weight_files(path):
        raise UsageError(f"{path}: no *.safetensors weights in this model folder; fetch or remake the checkpoint")
    for file in weight_files(path):
        _check_weights(file)


def _check_weights(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as exc:
        raise UsageError(f"{file}: corrupt or cut short: {exc}; fetch or remake the checkpoint") from exc


def weight_files(path: Path) -> list[Path]:
    return sorted(path.glob("*.safetensors"))


def weights_sha256(path: Path) -> str:
    """SHA-256 over names and bytes of the weight files, in order: the identity of a policy."""
    digest = hashlib.sha256()
    for file in weight_files(path):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def load_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a folder by name. Raises UsageError as `check_model_folder` does."""
    from safetensors.torch import load_file

    check_model_folder(path)
    return {name: tensor for file in weight_files(path) for name, tensor in load_file(file).items()}


def copy_companions(source: Path, target: Path) -> None:
    """Tokenizer, generation settings, policy profile (karl.json): every file of the base but its weights and config."""
    for file in sorted(source.iterdir()):
        if file.is_file() and file.name != "config.json" and not any(file.match(pattern) for pattern in WEIGHTS):
            shutil.copyfile(file, target / file.name)


def write_config(source: Path, target: Path, *, dtype: str) -> None:
    """The base's own config.json, with the dtype that the weights now have."""
    settings = json.loads((source / "config.json").read_text(encoding="utf-8"))
    settings.pop("torch_dtype", None)  # the key's name before transformers 5; both would contradict each other
    text = json.dumps({**settings, "dtype": dtype}, indent=2, sort_keys=True)
    (target / "config.json").write_text(text + "\n", encoding="utf-8")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a folder aside; on success sync it and rename it to `path`, on failure leave `path` as it was.

    Raises KarlError when the disk is full or not writable. A folder that was at `path` is replaced last of all.
    """
    aside = aside_of(path)
    retired = path.with_name(f".{path.name}.replaced")
    with write_errors(path):
        try:
            _recover(path, retired=retired)
            shutil.rmtree(aside, ignore_errors=True)
            _make(aside)
            yield aside
            _sync(aside)
            if path.exists():
                path.rename(retired)
            aside.rename(path)
            _sync_one(path.parent)
            shutil.rmtree(retired, ignore_errors=True)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            _recover(path, retired=retired)
            raise


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file aside; on success sync it and rename it to `path`: a reader finds the old, the new, or none."""
    _make(path.parent)
    aside = aside_of(path)
    try:
        with aside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        aside.rename(path)
        _sync_one(path.parent)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """What a full or unwritable disk raises becomes a KarlError that says the mend."""
    try:
        yield
    except Exception as exc:
        if not _is_write_error(exc):
            raise
        raise KarlError(
            f"{path}: the checkpoint could not be written: {exc}. Free some space and run the same command again; "
            "nothing that was stored before has changed"
        ) from exc


def aside_of(path: Path) -> Path:
    """Where `atomic_folder` and `atomic_file` write what is to become `path`."""
    return path.with_name(f".{path.name}.partial")


def _recover(path: Path, *, retired: Path) -> None:
    """A kill between the two renames leaves the old folder under its retired name."""
    if retired.exists() and not path.exists():
        retired.rename(path)


def _is_write_error(exc: BaseException) -> bool:
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
    if isinstance(exc, OSError):
        return exc.errno in full
    # safetensors wraps the operating system's error in its own type, code in the text; torch's zip writer loses the
    # code, and stumbles over the place in the file where it did not get to.
    told = [f"os error {code}" for code in full] + [os.strerror(code) for code in full]
    return any(text in str(exc) for text in [*told, "inline_container", "PytorchStreamWriter"])


def _make(folder: Path) -> None:
    """With its parents, whose own entries must survive a loss of power as well."""
    fresh = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in fresh:
        _sync_one(each.parent)


def _sync(folder: Path) -> None:
    for each in [*sorted(folder.rglob("*")), folder]:
        if each.is_file() or each.is_dir():
            _sync_one(each)


def _sync_one(path: Path) -> None:
    """A file's bytes, or the entries of a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
