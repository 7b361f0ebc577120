"""Is a corpus's index there, whole, and of as many chunks as the corpus has? Told by its manifest alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from store.jsonfile import read_json
from store.vectors.files import MANIFEST
from store.vectors.library import index_folder
from store.vectors.manifest import FORMAT, Manifest

ELSEWHERE = "in the format of another version of karl"


class Condition(NamedTuple):
    """current: it is used as it is; otherwise the next search or ingestion builds it or brings it up to date."""

    current: bool
    found: str


def index_condition(home: str | Path, corpus: str, *, chunks: int) -> Condition:
    """Of an index in process. chunks: those of the corpus now. Checksums are for opening: here sizes are compared."""
    folder = index_folder(home, corpus)
    try:
        manifest = Manifest.model_validate(read_json(folder / MANIFEST))
    except FileNotFoundError:
        return Condition(False, "not built yet")
    except ValidationError:
        return Condition(False, ELSEWHERE)
    except (OSError, ValueError) as exc:
        return Condition(False, f"unreadable: {folder / MANIFEST}: {exc}")
    if manifest.identity.format != FORMAT:
        return Condition(False, ELSEWHERE)
    if broken := next(_broken(folder, manifest), None):
        return Condition(False, f"damaged: {broken} is missing or cut short")
    if manifest.chunks != chunks:
        return Condition(False, f"of {manifest.chunks:,} chunks; the corpus has {chunks:,}")
    return Condition(True, _described(manifest))


def _broken(folder: Path, manifest: Manifest) -> Iterator[Path]:
    for segment in manifest.segments:
        for name, record in segment.files.items():
            path = folder / segment.name / name
            if not path.is_file() or path.stat().st_size != record.bytes:
                yield path


def _described(manifest: Manifest) -> str:
    megabytes = sum(file.bytes for segment in manifest.segments for file in segment.files.values()) / 1e6
    vectors = f"{manifest.dimensions} dimensions" if manifest.dimensions else "BM25 only"
    parts = "1 segment" if len(manifest.segments) == 1 else f"{len(manifest.segments)} segments"
    return f"{manifest.chunks:,} chunks, {vectors}, {parts}, {megabytes:,.1f} MB"
