"""Fetch a task's public files: only what is missing, each checked against its published hash.

What was checked is written down in `.karl-fetch.json` of the folder. A fetch that was stopped goes on where it was,
inside a file too: the part that came is kept beside its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from evals.loaders.hub import Hub, HubFile, digest_of, unreachable
from evals.tasks.spec import HubSource, TaskSpec
from store.errors import KarlError
from store.jsonfile import read_json, write_json

MANIFEST = ".karl-fetch.json"


class FetchedFile(BaseModel, frozen=True, extra="forbid"):
    size: int
    digest: str
    commit: str


class Manifest(BaseModel, extra="forbid"):
    """Path in the folder -> what was fetched and found right."""

    files: dict[str, FetchedFile] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Paths in the folder: those that came now, and those that were there already."""

    new: tuple[str, ...]
    kept: tuple[str, ...]


Progress = Callable[[str, int, int], None]  # file, done of total


def fetch_task(spec: TaskSpec, folder: Path, *, hub: Hub | None = None, progress: Progress | None = None) -> Fetched:
    """All hub files of a task into `folder`. What it needs besides is the caller's to say.

    Raises: KarlError when the hub cannot be reached, with what to download by hand; when a file is not as published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new: list[str] = []
    kept: list[str] = []
    for source in spec.hub:
        for path, fresh in _fetch_source(source, spec, folder, hub=hub or Hub(), progress=progress):
            (new if fresh else kept).append(path)
    return Fetched(tuple(new), tuple(kept))


def _fetch_source(
    source: HubSource, spec: TaskSpec, folder: Path, *, hub: Hub, progress: Progress | None
) -> Iterator[tuple[str, bool]]:
    """(path in the folder, whether it came now)."""
    manifest = read_manifest(folder)
    try:
        commit, files = hub.files(source)
        if not files:
            raise KarlError(f"{source.url} has no files like {', '.join(source.include)}; was it moved?")
        for done, file in enumerate(files, start=1):
            name = (Path(source.into) / file.path).as_posix()
            fresh = not _is_there(folder / name, file, manifest.files.get(name))
            if fresh:
                _download(hub, source, file, commit=commit, target=inside(folder, name))
                manifest.files[name] = FetchedFile(size=file.size, digest=file.digest, commit=commit)
                write_json(folder / MANIFEST, manifest.model_dump())
            if progress:
                progress(name, done, len(files))
            yield name, fresh
    except unreachable() as exc:
        raise KarlError(_by_hand(spec, folder, reason=exc)) from exc


def inside(folder: Path, name: str) -> Path:
    """Raises: KarlError for a name that leads out of the folder: it came over the network."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise KarlError(f"{name}: the hub names a file outside of {folder}")
    return path


def _download(hub: Hub, source: HubSource, file: HubFile, *, commit: str, target: Path) -> None:
    """Beside the target, then checked, then under its name. The digest in the part's name tells versions apart."""
    part = target.with_name(f".{target.name}.{file.digest[-12:]}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    if not part.exists() or part.stat().st_size < file.size:
        hub.download(source, file, commit=commit, part=part)
    check_file(part, file)
    part.replace(target)


def _by_hand(spec: TaskSpec, folder: Path, *, reason: Exception) -> str:
    first = str(reason).strip().splitlines()[0] if str(reason).strip() else type(reason).__name__
    lines = [
        f"the hub does not answer with the files ({first}). Run this again later (it goes on where it was), "
        f"or download by hand into {folder}:"
    ]
    lines += [f"  {source.url}: {', '.join(source.include)} into {folder / source.into}" for source in spec.hub]
    return "\n".join([*lines, *by_hand_lines(spec, folder)])


def by_hand_lines(spec: TaskSpec, folder: Path) -> list[str]:
    """What no hub has: one line a source."""
    return [f"  {source.where}: {', '.join(str(folder / file) for file in source.files)}" for source in spec.by_hand]


def read_manifest(folder: Path) -> Manifest:
    """Raises: KarlError for one that was edited."""
    file = folder / MANIFEST
    if not file.is_file():
        return Manifest()
    try:
        return Manifest.model_validate(read_json(file))
    except (ValidationError, ValueError) as exc:
        raise KarlError(f"{file}: not what a fetch writes; delete it to check every file anew") from exc


def _is_there(path: Path, file: HubFile, known: FetchedFile | None) -> bool:
    """Whether the file is the published one. One that an earlier fetch checked is believed by its size."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    return (known is not None and known.digest == file.digest) or digest_of(path, like=file.digest) == file.digest


def check_file(path: Path, file: HubFile) -> None:
    """Raises: KarlError, and removes the file, so that the next fetch asks for it again."""
    found = digest_of(path, like=file.digest)
    if found != file.digest:
        size = path.stat().st_size
        path.unlink()
        raise KarlError(
            f"{path}: came as {size:,} bytes with {found}, published are {file.size:,} with {file.digest}; "
            "it was removed: run the fetch again"
        )
