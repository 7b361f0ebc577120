"""Any OpenAI-compatible chat endpoint: messages in, a message out. Its tokens are unknown, so nothing trains on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, Field

from agents.engines.base import FinishReason, GenerateRequest, Generation
from agents.engines.http_engine import HttpEngine
from agents.engines.settings import ChatSettings
from agents.errors import EngineError

SEED_BITS = 0x7FFF_FFFF  # servers written in other languages have no 63-bit integers


@dataclass(frozen=True, slots=True)
class ChatRequest(GenerateRequest):
    """`prompt_ids` are empty; `messages` and `tools` as the endpoint takes them."""

    messages: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Mapping[str, Any]] = ()


class NativeCall(NamedTuple):
    """A call in the endpoint's own form; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


class ChatReply(Generation):
    """A generation whose tokens are unknown: no ids, no log-probs. Counts are None where the endpoint gives none."""

    text: str
    calls: tuple[NativeCall, ...]
    prompt_tokens: int | None
    sampled_tokens: int | None

    @classmethod
    def make(
        cls,
        text: str,
        reason: FinishReason,
        *,
        calls: tuple[NativeCall, ...] = (),
        prompt_tokens: int | None = None,
        sampled_tokens: int | None = None,
    ) -> ChatReply:
        reply = cls([], [], reason)
        reply.text, reply.calls = text, calls
        reply.prompt_tokens, reply.sampled_tokens = prompt_tokens, sampled_tokens
        return reply


class _Function(BaseModel):
    name: str
    arguments: str = ""


class _Call(BaseModel):
    id: str
    function: _Function


class _Message(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class ChatEngine(HttpEngine):
    """`Engine` for `ChatRequest`s."""

    path = "/chat/completions"
    ends: ClassVar[dict[str, FinishReason]] = {**HttpEngine.ends, "tool_calls": "stop"}

    def __init__(self, settings: ChatSettings) -> None:
        super().__init__(settings.endpoint)
        self.settings = settings

    async def generate(self, request: GenerateRequest) -> ChatReply:
        """Raises: EngineError for a request of tokens, or an answer that is none."""
        if not isinstance(request, ChatRequest):
            raise EngineError(f"{self.url} is a chat endpoint: it takes messages, not token ids")
        response = await self._endpoint.post(self.path, self._payload(request))
        completion = self._read(_Completion, response.content)
        return self._reply(completion.choices[0], completion.usage or _Usage())

    async def probe(self) -> None:
        """Raises: EndpointError when the server does not answer. Not every one lists its models."""
        await self._endpoint.models()

    def _payload(self, request: ChatRequest) -> dict[str, Any]:
        sampling, settings = request.sampling, self.settings
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": list(request.messages),
            settings.limit_key: sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed & SEED_BITS,
        }
        if request.tools:
            body["tools"] = list(request.tools)
        return {key: value for key, value in {**body, **settings.extra}.items() if key not in settings.omit}

    def _reply(self, choice: _Choice, usage: _Usage) -> ChatReply:
        calls = [
            NativeCall(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()
        ]
        return ChatReply.make(
            choice.message.content or "",
            self._reason(choice.finish_reason),
            calls=tuple(calls),
            prompt_tokens=usage.prompt_tokens,
            sampled_tokens=usage.completion_tokens,
        )
