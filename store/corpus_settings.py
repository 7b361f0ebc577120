"""How a corpus is cut, embedded and searched: one closed object, kept on the corpus's row."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class FusionWeights(BaseModel, frozen=True, extra="forbid"):
    """Reciprocal rank fusion: score = sum of weight / (constant + rank) over rankings. Weight 0 leaves one out."""

    bm25: float = Field(default=1.0, ge=0)
    dense: float = Field(default=2.0, ge=0)
    """Measured on ten filings (`karl bench retrieval`): twice BM25's weight finds more evidence pages than once."""
    constant: int = Field(default=20, ge=1)
    """Cormack et al. 2009 use 60 for many rankings; of two, 20 lets a first rank of either count."""


class IndexSettings(BaseModel, frozen=True, extra="forbid"):
    """The index in process."""

    vectors: Literal["auto", "flat", "hnsw", "ivf"] = "auto"
    """auto: exact up to 20,000 vectors, a graph up to two million, cells above. Up to 1,000 are always exact."""


class CorpusSettings(BaseModel, frozen=True, extra="forbid"):
    """Settings of one corpus."""

    max_chars: int = Field(default=2000, ge=200)
    """Longest chunk of Markdown, text, HTML and JSONL, in characters. A PDF's chunk is a page, whatever its length."""
    embedder: str = "none"
    """"none" (BM25 only), "minilm" (packaged, offline), or the name or path of a sentence-transformers model."""
    fusion: FusionWeights = FusionWeights()
    """Weights of the hybrid ranking; without an embedder only BM25 counts."""
    index: IndexSettings = IndexSettings()
    """How vectors are searched in process; another choice builds the index anew."""
