"""An index on disk: <folder>/manifest.json names the segments in use, each a folder beside it.

A new segment is written under another name and counts once the manifest names it: a reader sees the old index or the
new one, never half of one, and a writer that is killed leaves the old. Files of a reader stay until it lets them go.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Set
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from store.errors import KarlError
from store.jsonfile import read_json, write_json
from store.vectors.arrays import load_array, save_array
from store.vectors.manifest import Contents, Identity, Manifest, SegmentRecord, damaged, record
from store.vectors.segments import Segment, is_dead_file, is_segment_name
from store.vectors.snapshot import Snapshot

MANIFEST = "manifest.json"
BUILDING = ".building-"
TRIES = 50  # a writer may replace the index while it is being opened, not as often as that
UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, ValidationError)
Mark = tuple[int, int, int]


class IndexFiles:
    """`load` and `newer` are a reader's, `save` a writer's who holds the lock."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self._identity = folder, identity
        self._mark: Mark | None = None
        self._open: dict[str, Segment] = {}
        self._looking = threading.Lock()

    @property
    def vectors_kind(self) -> str:
        return self._identity.vectors

    @property
    def lock(self) -> Path:
        return self.folder / "write.lock"

    @property
    def _manifest(self) -> Path:
        return self.folder / MANIFEST

    def manifest(self) -> Manifest | None:
        """None where there is none, or one of something else: it can always be built again."""
        try:
            found = Manifest.model_validate(read_json(self._manifest))
        except UNREADABLE:
            return None
        return found if found.identity == self._identity else None

    def load(self, *, digest: str | None = None, thorough: bool = False) -> Snapshot | None:
        """None where the files are missing, damaged, of something else, or of other contents than `digest`."""
        for _ in range(TRIES):
            mark, manifest = self._stat(), self.manifest()
            if manifest is None or digest not in (None, manifest.content_sha256):
                return None
            snapshot = self._read(manifest, thorough=thorough)
            if snapshot is not None:
                self._mark, self._open = mark, {segment.name: segment for segment in snapshot.segments}
                return snapshot
            if mark == self._stat():
                return None
        return None

    def newer(self) -> Snapshot | None:
        """What a writer has put there since; cheap where it has not. Damage is left to the next opening."""
        if self._stat() == self._mark or not self._looking.acquire(blocking=False):
            return None
        try:
            found = self.load()
            self._mark = self._stat() if found is None else self._mark
            return found
        finally:
            self._looking.release()

    def _stat(self) -> Mark | None:
        try:
            found = self._manifest.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self, manifest: Manifest, *, thorough: bool) -> Snapshot | None:
        try:
            if any(damaged(self.folder, manifest, known=frozenset(self._open), thorough=thorough)):
                return None
            segments = [self._segment(written) for written in manifest.segments]
            return Snapshot(segments, vectors_kind=self._identity.vectors)
        except UNREADABLE:
            return None

    def _segment(self, written: SegmentRecord) -> Segment:
        held = self._open.get(written.name)
        return (
            held
            if held is not None and held.dead == written.dead
            else Segment.load(self.folder / written.name, dead=written.dead)
        )

    def contents(self) -> Contents | None:
        """What the manifest's index was built from, chunk by chunk; None where that is damaged."""
        manifest = self.manifest()
        if manifest is None:
            return None
        try:
            ids, hashes = load_array(self.folder / manifest.contents_file)
        except UNREADABLE:
            return None
        contents = Contents(ids.view(np.int64), hashes)
        return contents if contents.digest() == manifest.content_sha256 else None

    def save(self, snapshot: Snapshot, contents: Contents) -> None:
        """Write what is new beside the index in use, then switch. Raises: KarlError; the old index is then in use."""
        before = self.manifest()
        held = {written.name: written for written in before.segments} if before else {}
        in_use = self._any_manifest()
        try:
            self._remove_leftovers(in_use)
            segments = [self._write(segment, held=held.get(segment.name)) for segment in snapshot.segments]
            manifest = self._described(snapshot, contents, segments=segments)
            pair = np.stack([contents.ids_N.view(np.uint64), contents.hashes_N])
            save_array(self.folder / manifest.contents_file, pair)
            write_json(self._manifest, manifest.model_dump())
        except OSError as exc:
            self._remove_leftovers(in_use)
            reason = exc.strerror or exc
            raise KarlError(f"{self.folder}: cannot write the index: {reason}; free the disk and run again") from exc
        self._remove_unused(manifest)

    def _described(self, snapshot: Snapshot, contents: Contents, *, segments: list[SegmentRecord]) -> Manifest:
        return Manifest(
            identity=self._identity,
            content_sha256=contents.digest(),
            chunks=snapshot.chunks,
            dimensions=snapshot.dimensions,
            segments=segments,
        )

    def _write(self, segment: Segment, *, held: SegmentRecord | None) -> SegmentRecord:
        if held is not None and held.dead == segment.dead:
            return held
        target = self.folder / segment.name
        files = {name: file for name, file in held.files.items() if not is_dead_file(name)} if held else {}
        if held is None:
            building = self.folder / f"{BUILDING}{segment.name}"
            segment.save(building)
            files = record(building)
            building.replace(target)
        if segment.dead:
            files |= record(target, names=segment.save_dead(target))
        return SegmentRecord(name=segment.name, chunks=len(segment.ids_N), dead=segment.dead, files=files)

    def _any_manifest(self) -> Manifest | None:
        """Of whatever identity: its segments may be those of readers with other settings."""
        try:
            return Manifest.model_validate(read_json(self._manifest))
        except UNREADABLE:
            return None

    def _remove_leftovers(self, in_use: Manifest | None) -> None:
        """Of writers that were killed, or found the disk full: each would leave as much again. The lock is held."""
        for path in self.folder.glob(f"{BUILDING}*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(f".{self._manifest.name}.*"):
            path.unlink(missing_ok=True)
        if in_use is not None:
            self._remove_unused(in_use)
        else:
            self._remove_segments(but=frozenset())

    def _remove_segments(self, *, but: Set[str]) -> None:
        """Only what is named as segments are: nothing else in the folder is ours."""
        for path in list(self.folder.iterdir()) if self.folder.is_dir() else []:
            if path.is_dir() and is_segment_name(path.name) and path.name not in but:
                shutil.rmtree(path, ignore_errors=True)

    def _remove_unused(self, manifest: Manifest) -> None:
        """What no reader will open any more; who has it open keeps it."""
        segments = {segment.name: segment for segment in manifest.segments}
        self._remove_segments(but=segments.keys())
        for path in list(self.folder.iterdir()):
            if path.is_dir():
                continue
            if path.name.startswith("contents-") and path.name != manifest.contents_file:
                path.unlink(missing_ok=True)
        for name, segment in segments.items():
            for path in list((self.folder / name).glob("*.npy")):
                if path.name not in segment.files:
                    path.unlink(missing_ok=True)
