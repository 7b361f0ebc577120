"""What an index on disk consists of and was built from; checksums tell damage from content."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

FORMAT = 4  # of the files; another number is rebuilt
BLOCK = 1 << 22
READ_WHOLE = 256 << 20  # bytes of an index that opening reads to the last one: a quarter of a second
SMALL = 16 << 20  # of a larger index only smaller files are: opening it must stay a matter of a second


class Identity(BaseModel, frozen=True, extra="forbid"):
    """What all of an index has in common: where it differs, nothing of it can be used."""

    format: int
    corpus: str
    embedder: str
    embedder_fingerprint: str
    vectors: str = "auto"


class FileRecord(BaseModel, frozen=True, extra="forbid"):
    bytes: int
    crc32: int


class SegmentRecord(BaseModel, frozen=True, extra="forbid"):
    """files: paths inside the segment's folder, those of the dead included."""

    name: str
    chunks: int
    dead: int
    files: dict[str, FileRecord]


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """content_sha256 covers chunk ids and chunk hashes in order; dimensions 0: no vectors."""

    identity: Identity
    content_sha256: str
    chunks: int
    dimensions: int
    segments: list[SegmentRecord]

    @property
    def contents_file(self) -> str:
        return f"contents-{self.content_sha256[:16]}.npy"


class Contents(NamedTuple):
    """Chunks of a corpus: ids_N int64 ascending; hashes_N uint64, the first half of each chunk's sha256."""

    ids_N: NDArray[np.int64]
    hashes_N: NDArray[np.uint64]

    def digest(self) -> str:
        found = hashlib.sha256(self.ids_N.astype("<i8").tobytes())
        found.update(self.hashes_N.astype("<u8").tobytes())
        return found.hexdigest()

    def since(self, old: Contents) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids to index, new or changed; ids that are gone."""
        at = np.minimum(np.searchsorted(old.ids_N, self.ids_N), max(0, len(old.ids_N) - 1))
        same = (old.ids_N[at] == self.ids_N) & (old.hashes_N[at] == self.hashes_N) if len(old.ids_N) else False
        return self.ids_N[~np.broadcast_to(same, self.ids_N.shape)], np.setdiff1d(old.ids_N, self.ids_N)


def record(folder: Path, names: Iterable[str] | None = None) -> dict[str, FileRecord]:
    """Of every file under a folder, or of some."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    paths = found if names is None else [folder / name for name in names]
    return {
        path.relative_to(folder).as_posix(): FileRecord(bytes=path.stat().st_size, crc32=checksum(path))
        for path in paths
    }


def checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            found = zlib.crc32(block, found)
    return found


def damaged(folder: Path, manifest: Manifest, *, known: frozenset[str], thorough: bool) -> Iterator[Path]:
    """Files that are not what was written; segments that are open already (`known`) are left out.

    Sizes always count; contents of every file where the index is not large, or `thorough`.
    """
    files = [
        (folder / segment.name / name, written)
        for segment in manifest.segments
        if segment.name not in known
        for name, written in segment.files.items()
    ]
    whole = thorough or sum(written.bytes for _, written in files) <= READ_WHOLE
    for path, written in files:
        if path.stat().st_size != written.bytes or (
            (whole or written.bytes <= SMALL) and checksum(path) != written.crc32
        ):
            yield path
