"""Settings of engines behind HTTP. Apart from the engines, so that reading them imports no client."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class EndpointSettings(BaseModel, frozen=True, extra="forbid"):
    """Where an OpenAI-compatible server is and how long it may take."""

    base_url: str = Field(description="with the /v1, such as http://localhost:8000/v1")
    model: str = Field(description="the name that the server gives the model")
    api_key: str = Field(default="", repr=False)
    timeout_seconds: float = Field(default=600.0, gt=0, description="without a byte from the server")
    connect_seconds: float = Field(default=5.0, gt=0)
    connections: int = Field(default=512, ge=1)


class RouterSettings(BaseModel, frozen=True, extra="forbid"):
    """How patient the router is. A request outlasts a server's absence of the sum of its backoffs: 7.5 s by default.

    A lone server that restarts takes longer: the rollouts under way fail, and a resumed run makes them again.
    """

    retries: int = Field(default=4, ge=0, description="further tries of a request after an endpoint failed")
    backoff_seconds: float = Field(default=0.5, ge=0, description="before a try where no other endpoint is up; doubles")
    cool_down_seconds: float = Field(default=0.5, ge=0, description="before a failed endpoint is probed; doubles")
    longest_cool_down: float = Field(default=5.0, ge=0, description="seconds at which the doubling ends")
    strikes: int = Field(default=3, ge=1, description="failures in a row that leave out an endpoint that still answers")
    concurrency: int = Field(default=256, ge=1, description="requests under way at once, per endpoint")


class ChatSettings(BaseModel, frozen=True, extra="forbid"):
    """`[chat]`: an OpenAI-compatible chat endpoint that plays the policy."""

    base_url: str = Field(description="with the /v1, such as https://api.example.org/v1")
    model: str = Field(description="the name that the server gives the model")
    api_key: str = Field(default="", repr=False, description="where the endpoint wants one")
    context_tokens: int = Field(default=128_000, ge=16, description="prompt and continuation together")
    timeout_seconds: float = Field(default=600.0, gt=0, description="without a byte from the server")
    limit_key: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="what the endpoint calls the limit of a reply"
    )
    omit: tuple[str, ...] = Field(
        default=(), description="keys that the endpoint refuses, such as temperature, top_p or seed"
    )
    extra: dict[str, Any] = Field(default_factory=dict, description="further keys of every request")

    @property
    def endpoint(self) -> EndpointSettings:
        return EndpointSettings(
            base_url=self.base_url, model=self.model, api_key=self.api_key, timeout_seconds=self.timeout_seconds
        )
