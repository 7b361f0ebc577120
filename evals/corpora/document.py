"""One chunk of a task's corpus, as it is written for `karl ingest`."""

from __future__ import annotations

from typing import NamedTuple


class CorpusDocument(NamedTuple):
    """`id`: of the chunk, `document` or `document#number` where a document has several; items name evidence by it."""

    id: str
    text: str
    title: str = ""
