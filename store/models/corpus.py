"""What was ingested: a corpus, its documents, their chunks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.models.columns import added, json_column, json_object_column, now


class Corpus(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, index=True)
    source: str  # the folder or file that was ingested
    settings: dict[str, Any] = json_object_column()  # CorpusSettings as given at ingestion
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class Document(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("corpus_id", "path"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    corpus_id: int = Field(foreign_key="corpus.id", index=True)
    path: str  # relative to the corpus's source; JSONL: path#id, or path#line-N where the line has no id
    title: str = ""
    kind: str = ""  # pdf, markdown, text, html, jsonl
    sha256: str  # of reader version, reader settings and contents: what decides whether to read it again
    chunk_count: int = 0
    error: str | None = None  # why the file was skipped; such a document has no chunks
    problems: list[str] = json_column()  # what was left out of a document that could be read: pages, front matter
    properties: dict[str, Any] = json_object_column(server_default="{}")  # what it says of itself: author, date ...
    text_sha256: str = added("", String, text("''"))  # of its words in any spacing: duplicates share it


class Chunk(SQLModel, table=True):
    # Ids are never used again: old rollouts hold chunk ids as hits and citations.
    __table_args__ = (UniqueConstraint("corpus_id", "key"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    corpus_id: int = Field(foreign_key="corpus.id", index=True)
    document_id: int = Field(foreign_key="document.id", index=True)
    key: str  # "<document path>#<ordinal>", stable across re-ingestion
    ordinal: int
    title: str = ""
    page: int | None = None  # 1-based, of formats with pages
    headings: list[str] = json_column(server_default="[]")  # above the text, outermost first
    text: str
    sha256: str
