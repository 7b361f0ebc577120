"""Settings of embedders and search servers: closed tables of karl.toml. Reading them imports no client."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class EmbeddingConventions(BaseModel, frozen=True, extra="forbid"):
    """What decides, beside the model, which vector a text gets. On the corpus's row: queries must match passages."""

    query_prefix: str | None = Field(default=None, description="before a query; unset: what is known of the model")
    passage_prefix: str | None = Field(default=None, description="before a passage; unset: what is known of the model")
    instruction: str | None = Field(default=None, description="of models that are told the task before a query")
    normalize: bool = Field(default=True, description="unit vectors: similarity is the cosine, else the inner product")
    max_tokens: int | None = Field(default=None, ge=8, description="of a text, the rest is cut off; unset: the model's")
    dimensions: int | None = Field(default=None, ge=1, description="keep the first so many; for models trained for it")


class EmbeddingSettings(EmbeddingConventions, frozen=True, extra="forbid"):
    """`[embedding]`: the conventions of corpora that are ingested, and how this machine computes vectors."""

    batch_size: int = Field(default=32, ge=1, description="texts a forward pass or a request")
    device: str = Field(default="cpu", description="torch device of sentence-transformers models")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(default="float32", description="of the model's weights")
    trust_remote_code: bool = Field(default=False, description="run code that comes with the model")
    base_url: str = Field(default="", description="of embedders named endpoint:MODEL, such as http://localhost:8000/v1")
    api_key: str = Field(default="", repr=False, description="where the endpoint wants one")
    concurrency: int = Field(default=8, ge=1, description="requests under way at once")
    timeout_seconds: float = Field(default=120.0, gt=0, description="without a byte from the endpoint")
    retries: int = Field(default=5, ge=0, description="further tries of a request after the endpoint failed")
    backoff_seconds: float = Field(default=0.5, ge=0, description="before the second try; doubles")
    extra: dict[str, Any] = Field(default_factory=dict, description="further keys of every request")

    @property
    def conventions(self) -> EmbeddingConventions:
        return EmbeddingConventions(**{name: getattr(self, name) for name in EmbeddingConventions.model_fields})


class WeaviateSettings(BaseModel, frozen=True, extra="forbid"):
    """`[weaviate]`: the server of corpora that are ingested with `--index weaviate`."""

    url: str = Field(
        default="http://127.0.0.1:8080", pattern=r"^https?://[^/]+/?$", description="of HTTP; https for TLS"
    )
    grpc: str = Field(default="", description="host:port of gRPC, with the URL's TLS; empty: its host, port 50051")
    api_key: str = Field(default="", repr=False, description="where the server wants one")
    collection: str = Field(
        default="Karl",
        pattern=r"^[A-Z][A-Za-z0-9]{0,60}$",
        description="how names of collections begin; one for each store that shares the server",
    )
    alpha: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Weaviate's own hybrid ranking, 0 = words, 1 = vectors; unset: fused by the corpus's weights",
    )
    batch_size: int = Field(default=500, ge=1, description="objects a request of an import")
    concurrency: int = Field(default=8, ge=1, description="queries under way at once")
    retries: int = Field(default=5, ge=0, description="further tries of what failed for the server's sake")
    backoff_seconds: float = Field(default=0.5, ge=0, description="before the second try; doubles")
    connect_seconds: float = Field(default=5.0, gt=0, description="for the server to answer when it is opened")
    query_seconds: float = Field(default=30.0, gt=0, description="for one query")
    insert_seconds: float = Field(default=120.0, gt=0, description="for one request of an import")
    lease_seconds: float = Field(
        default=60.0, gt=0, description="a writer that is silent for longer is followed by the next"
    )


class SearchServers(BaseModel, frozen=True, extra="forbid"):
    """What opening a corpus's index needs beside the store and the home folder."""

    embedding: EmbeddingSettings = EmbeddingSettings()
    weaviate: WeaviateSettings | None = None
