"""How a corpus is cut, embedded and searched: one closed object, kept on the corpus's row."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from store.chunking.policy import ChunkingPolicy
from store.search_servers import EmbeddingConventions

VectorsKind = Literal["auto", "flat", "hnsw", "ivf"]


class FusionWeights(BaseModel, frozen=True, extra="forbid"):
    """How the two rankings become one. A weight of 0 leaves one out."""

    by: Literal["scores", "ranks"] = "scores"
    """`scores`: sum of weight x score, brought to 0..1 per ranking; `ranks`: sum of weight / (constant + rank)."""
    bm25: float = Field(default=1.0, ge=0)
    dense: float = Field(default=3.0, ge=0)
    """Questions in other words than the documents ask for more, names and terms for less (`docs/documents.md`)."""
    constant: int = Field(default=20, ge=1)
    """Of `ranks`: Cormack et al. 2009 use 60 for many rankings; of two, 20 lets a first rank of either count."""


class IndexSettings(BaseModel, frozen=True, extra="forbid"):
    """The index in process."""

    vectors: VectorsKind = "auto"
    """auto: exact up to 20,000 vectors, a graph up to two million, cells above. Up to 1,000 are always exact."""


class CorpusSettings(BaseModel, frozen=True, extra="forbid"):
    """Settings of one corpus."""

    max_chars: int = Field(default=2000, ge=200)
    """Longest chunk that is cut by headings, in characters. A PDF's chunk is a page, whatever its length."""
    chunking: ChunkingPolicy = ChunkingPolicy()
    """How documents are cut; `karl ingest --chunking` takes one by name or from a YAML file."""
    embedder: str = "none"
    """"none" (BM25 only), "minilm" (packaged), "endpoint:MODEL", or a sentence-transformers model's name or path."""
    embedding: EmbeddingConventions = EmbeddingConventions()
    """Prefixes and lengths of the embedder; those of `[embedding]` when the corpus was last ingested."""
    backend: Literal["embedded", "weaviate"] = "embedded"
    """Where it is searched: in process, or on the server of `[weaviate]`."""
    fusion: FusionWeights = FusionWeights()
    """Weights of the hybrid ranking, `karl ingest --fusion`; without an embedder only BM25 counts."""
    index: IndexSettings = IndexSettings()
    """How vectors are searched in process, `karl ingest --vectors`; another choice builds the index anew."""
