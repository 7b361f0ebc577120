"""The Hugging Face hub: which files a data set has, with their hashes, and their contents from any byte on."""

from __future__ import annotations

import hashlib
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from evals.tasks.spec import HubSource

PARTIAL = 206  # HTTP: the rest of a file
TIMEOUT = 60.0  # seconds without a byte


class HubFile(NamedTuple):
    """`digest`: "sha256:..." of a large file, "git:..." (the hash of a git blob) of a small one."""

    path: str
    size: int
    digest: str


class Hub:
    """The hub's own client, at `endpoint` or at the one that HF_ENDPOINT names."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def files(self, source: HubSource) -> tuple[str, list[HubFile]]:
        """(commit, files of the source's patterns)."""
        from huggingface_hub import HfApi

        info = HfApi(endpoint=self._endpoint).dataset_info(
            source.dataset, revision=source.revision, files_metadata=True
        )
        siblings = info.siblings or []
        wanted = [entry for entry in siblings if any(fnmatch(entry.rfilename, glob) for glob in source.include)]
        return info.sha or source.revision, [_hub_file(entry) for entry in wanted]

    def download(self, source: HubSource, file: HubFile, *, commit: str, part: Path) -> None:
        """Into `part`, from where it ends: the client's own download begins a file anew after a stop."""
        import httpx
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers

        url = hf_hub_url(source.dataset, file.path, repo_type="dataset", revision=commit, endpoint=self._endpoint)
        have = part.stat().st_size if part.exists() else 0
        # A packed reply would not continue the part.
        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={have}-"} if have else {}
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT) as reply:
            reply.raise_for_status()
            # A server that ignores the range sends the whole file.
            with part.open("ab" if reply.status_code == PARTIAL else "wb") as out:
                for piece in reply.iter_raw():
                    out.write(piece)


def _hub_file(entry: Any) -> HubFile:
    digest = f"sha256:{entry.lfs.sha256}" if entry.lfs else f"git:{entry.blob_id}"
    return HubFile(entry.rfilename, entry.size or 0, digest)


def unreachable() -> tuple[type[Exception], ...]:
    """The errors that say so: the network's, the hub's refusals, and its client being told to stay offline."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    return httpx.HTTPError, HfHubHTTPError, OfflineModeIsEnabled


def digest_of(path: Path, *, like: str) -> str:
    """By the kind of digest that `like` is."""
    kind = like.partition(":")[0]
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(f"blob {os.path.getsize(path)}\0".encode())
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return f"{kind}:{digest.hexdigest()}"
