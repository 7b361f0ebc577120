"""A pydantic-ai model over an OpenAI-compatible chat endpoint: one typed answer a request, and little else.

pydantic-ai's own OpenAI model asks through the openai package, which takes several milliseconds of CPU a request; a
judge of thousands of short answers waits for that longer than for a fast endpoint.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from pydantic import BaseModel, Field, ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
TRIES = 3
BACKOFF = 0.5  # seconds before the second try; doubles
LONGEST_WAIT = 60.0  # seconds that a Retry-After is believed
SHOWN = 500  # characters of a refusal


class EndpointRefusal(Exception):
    """The endpoint won't take the request, or its answer can't be read: asking again would not help."""


class EndpointTrouble(Exception):
    """The endpoint failed, not the request. `retry_after`: the seconds it asks for."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Function(BaseModel):
    name: str
    arguments: str = ""


class _Call(BaseModel):
    function: _Function


class _Message(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class EndpointModel(Model):
    """Raises: EndpointRefusal, or EndpointTrouble that outlasts three tries."""

    def __init__(self, name: str, *, base_url: str, api_key: str, connections: int) -> None:
        super().__init__()
        self._name, self._url = name, f"{base_url.rstrip('/')}/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._connections = connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def system(self) -> str:
        return "openai"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        settings: Any = model_settings or {}
        body: dict[str, Any] = {"model": self._name, "messages": _messages(messages)}
        if "temperature" in settings:
            body["temperature"] = settings["temperature"]
        if model_request_parameters.output_tools:
            body["tools"] = [_tool(tool) for tool in model_request_parameters.output_tools]
            body["tool_choice"] = "required"
        return self._response(
            await self._post(json.dumps(body).encode(), seconds=float(settings.get("timeout", 120.0)))
        )

    async def _post(self, body: bytes, *, seconds: float) -> bytes:
        """The 200 answer. A server in trouble is asked again, after the time it asks for."""
        for left in reversed(range(TRIES)):
            try:
                return await self._once(body, seconds)
            except EndpointTrouble as exc:
                if not left:
                    raise
                wait = BACKOFF * 2 ** (TRIES - 1 - left) if exc.retry_after is None else exc.retry_after
                await asyncio.sleep(min(wait, LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    async def _once(self, body: bytes, seconds: float) -> bytes:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        try:
            async with self._client().post(self._url, data=body, headers=self._headers, timeout=timeout) as answer:
                data = await answer.read()
        except aiohttp.ClientError as exc:
            raise EndpointTrouble(f"{self._url}: {type(exc).__name__}: {exc}") from exc
        if answer.status == 200:
            return data
        reason = f"{self._url} refused with status {answer.status}: {data[:SHOWN].decode(errors='replace')}"
        if answer.status in BUSY:
            raise EndpointTrouble(reason, retry_after=_seconds(answer.headers.get("Retry-After", "")))
        raise EndpointRefusal(reason)

    def _client(self) -> aiohttp.ClientSession:
        """One per event loop; closed with the loop, whose end cancels the task that holds it."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop or self._session.closed:
            connector = aiohttp.TCPConnector(limit=self._connections)
            session = aiohttp.ClientSession(connector=connector, trust_env=True)
            self._loop, self._session, self._keeper = loop, session, loop.create_task(_held(session))
        return self._session

    def _response(self, data: bytes) -> ModelResponse:
        try:
            completion = _Completion.model_validate_json(data)
        except ValidationError as exc:
            where = ".".join(map(str, exc.errors()[0]["loc"])) or "JSON"
            raise EndpointRefusal(f"{self._url} answered without a readable '{where}'") from exc
        message, usage = completion.choices[0].message, completion.usage or _Usage()
        parts: list[ModelResponsePart] = [
            ToolCallPart(call.function.name, call.function.arguments) for call in message.tool_calls or ()
        ]
        if message.content:
            parts.insert(0, TextPart(message.content))
        spent = RequestUsage(input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens)
        return ModelResponse(parts=parts, usage=spent, model_name=self._name)


async def _held(session: aiohttp.ClientSession) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await session.close()


def _messages(messages: list[ModelMessage]) -> list[dict[str, str]]:
    """Raises: EndpointRefusal for anything but the text of a user, which is all that judges send."""
    out: list[dict[str, str]] = []
    for message in messages:
        for part in message.parts:
            if not (isinstance(message, ModelRequest) and isinstance(part, UserPromptPart)):
                raise EndpointRefusal(f"this model takes user prompts alone, not a {type(part).__name__}")
            if not isinstance(part.content, str):
                raise EndpointRefusal("this model takes text alone")
            out.append({"role": "user", "content": part.content})
    return out


def _tool(tool: Any) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}
    return {"type": "function", "function": function}


def _seconds(text: str) -> float | None:
    """None for a date or nothing."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return None
