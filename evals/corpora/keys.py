"""The names under which a search hit may stand in an item's gold list."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_LINE = re.compile(r"\.(?:jsonl|ndjson)#", re.IGNORECASE)
_NUMBER = re.compile(r"#\d+$")


def document_of(chunk: str) -> str:
    """`document#number` -> `document`; a name without a number is its own."""
    return _NUMBER.sub("", chunk)


def evidence_keys(key: str, *, page: int | None = None) -> frozenset[str]:
    """Of the store's chunk key, `<document path>#<ordinal>`, and the page of a PDF's chunk.

    `pdfs/ACME_2022.pdf#3`, page 4 -> ACME_2022 and ACME_2022#4 (and with the path and the extension before);
    `corpus.jsonl#Ada Lovelace#2#0`, a window of a page -> "Ada Lovelace#2" and "Ada Lovelace".
    """
    document = key.rpartition("#")[0] or key
    line = _LINE.search(document)
    if line:
        chunk = document[line.end() :]
        return frozenset({chunk, document_of(chunk)})
    path = PurePosixPath(document)
    names = {document, str(path.with_suffix("")), path.name, path.stem}
    return frozenset(names if page is None else names | {f"{name}#{page}" for name in names})
