"""What an ingestion is told of a corpus. What is not told stays as the corpus has it."""

from __future__ import annotations

import math
import re
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from karl.settings import Settings
from store.chunking.policy import load_policy
from store.corpus_settings import CorpusSettings, FusionWeights, VectorsKind
from store.errors import UsageError

_FUSION = re.compile(r"(?:(?P<by>scores|ranks):)?(?P<bm25>[^:]+):(?P<dense>[^:]+)")


class FusionChoice(BaseModel, frozen=True, extra="forbid"):
    """Weights, and what they weigh; see `FusionWeights`."""

    by: Literal["scores", "ranks"] = "scores"
    bm25: float = Field(ge=0, allow_inf_nan=False)
    dense: float = Field(ge=0, allow_inf_nan=False)

    @classmethod
    def of(cls, text: str) -> Self:
        """`1:3`, `scores:1:3` or `ranks:1:2`. Raises: UsageError."""
        found = _FUSION.fullmatch(text.strip())
        bm25, dense = (_weight(found["bm25"]), _weight(found["dense"])) if found else (None, None)
        if found is None or bm25 is None or dense is None or bm25 + dense == 0:
            raise UsageError(
                f"fusion {text!r}: write BM25's weight and the embedder's, two numbers from 0 on and not both 0, "
                "such as 1:3; ranks:1:3 weighs ranks in place of scores"
            )
        return cls(by="ranks" if found["by"] == "ranks" else "scores", bm25=bm25, dense=dense)


def _weight(text: str) -> float | None:
    """None for what is no weight."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


class CorpusChoices(BaseModel, frozen=True, extra="forbid"):
    """Settings of a corpus that are chosen now, and how its index is opened."""

    embedder: str | None = None
    """See `CorpusSettings`; None: that of `karl.toml`."""
    max_chars: int | None = Field(default=None, ge=200)
    chunking: str | None = None
    """A policy's name, or a YAML file."""
    index: Literal["embedded", "weaviate"] | None = None
    """None: that of `karl.toml`."""
    vectors: VectorsKind | None = None
    """How vectors are searched in process; another choice builds the index anew."""
    fusion: FusionChoice | None = None
    """Counts from the next search on; nothing is built anew."""
    verify: bool = False
    """Every byte of the index is read; one that is damaged is built anew."""

    def applied(self, stored: CorpusSettings, settings: Settings, *, embedder: str) -> CorpusSettings:
        """embedder: what `auto` stands for, else the one that is chosen.

        Raises: UsageError before anything is read, for choices that cannot be; what `load_policy` raises.
        """
        backend = self._backend(settings)
        values: dict[str, Any] = {"embedder": embedder, "embedding": settings.embedding.conventions, "backend": backend}
        values |= {"max_chars": self.max_chars} if self.max_chars else {}
        values |= {"chunking": load_policy(self.chunking)} if self.chunking else {}
        values |= {"index": stored.index.model_copy(update={"vectors": self.vectors})} if self.vectors else {}
        values |= {"fusion": FusionWeights(**{**dict(stored.fusion), **dict(self.fusion)})} if self.fusion else {}
        return stored.model_copy(update=values)

    def _backend(self, settings: Settings) -> str:
        chosen = self.index or settings.index
        if chosen == "weaviate" and settings.weaviate is None:
            raise UsageError(
                "an index on Weaviate needs a table [weaviate] with its url in karl.toml (docs/embedders.md)"
            )
        given = [name for name, value in (("vectors", self.vectors), ("verify", self.verify)) if value]
        if chosen == "weaviate" and given:
            raise UsageError(f"--{given[0]} is of an index in process; on Weaviate the server sees to it")
        return chosen
