"""Ask a model for an answer of a given type: pydantic-ai's models and tool calls, our retries, slots and counts.

It builds on pydantic-ai's single request, not on its agent loop: there is no tool to run, and the loop costs several
times what a request does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from agents.errors import JudgeError, boundary
from agents.judging import TokenUsage

if TYPE_CHECKING:
    from pydantic_ai.models import Model, ModelRequestParameters

OutputT = TypeVar("OutputT", bound=BaseModel)
TOOL = "final_result"
_FENCED = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)
AGAIN = "{text}\n\nYour last answer could not be used: {problem}\nAnswer again, in the form that is asked for."


class JudgeSettings(BaseModel, frozen=True, extra="forbid"):
    """An endpoint that judges."""

    base_url: str = Field(description="OpenAI-compatible, with the /v1")
    model: str = Field(description="the name that the server gives the model")
    api_key: str = Field(default="none", repr=False, description="endpoints on one's own machine take any")
    timeout_seconds: float = Field(default=120.0, gt=0, description="for one answer")
    retries: int = Field(default=2, ge=0, description="further tries after an answer that does not fit the schema")
    concurrency: int = Field(default=16, ge=1, description="requests under way at once")


class StructuredModel:
    """Typed answers at temperature 0, at most `concurrency` requests under way."""

    def __init__(self, settings: JudgeSettings, *, model: Model | None = None) -> None:
        self.settings = settings
        self._given_model = model
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._parameters: dict[type[BaseModel], ModelRequestParameters] = {}

    @property
    def name(self) -> str:
        return self.settings.model

    async def ask(
        self, text: str, output: type[OutputT], *, check: Callable[[OutputT], str] | None = None
    ) -> tuple[OutputT, TokenUsage]:
        """`check` says what is wrong with an answer that fits the type; empty: nothing.

        Raises: JudgeError (RolloutTimeoutError for a timeout) when the endpoint fails, or no try gives a usable answer.
        """
        asked, usage, problem = text, TokenUsage(), ""
        async with self._slots, boundary(JudgeError, f"judge {self.name} at {self.settings.base_url}"):
            for _ in range(self.settings.retries + 1):
                response = await self._request(asked, output)
                spent = response.usage
                usage = usage.plus(TokenUsage(1, spent.input_tokens, spent.output_tokens))
                try:
                    found = read_answer(response.parts, output)
                    problem = check(found) if check else ""
                    if not problem:
                        return found, usage
                except ValueError as exc:
                    problem = str(exc)
                asked = AGAIN.format(text=text, problem=problem)
            raise JudgeError(
                f"judge {self.name} at {self.settings.base_url}: no usable answer in {usage.requests} tries: {problem}",
                usage=usage,
            )

    async def _request(self, text: str, output: type[BaseModel]) -> Any:
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelRequest

        return await model_request(
            self._model,
            [ModelRequest.user_text_prompt(text)],
            model_settings={"temperature": 0.0, "timeout": self.settings.timeout_seconds},
            model_request_parameters=self._form(output),
        )

    def _form(self, output: type[BaseModel]) -> ModelRequestParameters:
        from pydantic_ai.models import ModelRequestParameters
        from pydantic_ai.tools import ToolDefinition

        if output not in self._parameters:
            tool = ToolDefinition(
                name=TOOL,
                description=(output.__doc__ or "").strip() or "The answer.",
                parameters_json_schema=output.model_json_schema(),
                kind="output",
            )
            self._parameters[output] = ModelRequestParameters(
                output_mode="tool", output_tools=[tool], allow_text_output=False
            )
        return self._parameters[output]

    @cached_property
    def _model(self) -> Any:
        if self._given_model is not None:
            return self._given_model
        from agents.endpoint_model import EndpointModel

        given = self.settings
        return EndpointModel(given.model, base_url=given.base_url, api_key=given.api_key, connections=given.concurrency)


def read_answer(parts: Any, output: type[OutputT]) -> OutputT:
    """The answer in a response: the one call of the form, or a text that is nothing but its JSON.

    Raises: ValueError saying what is wrong; what is broken is not mended, as a label must never be guessed.
    """
    from pydantic_ai.messages import TextPart, ToolCallPart

    given = [part.args or "" for part in parts if isinstance(part, ToolCallPart) and part.tool_name == TOOL]
    if not given:
        text = "".join(part.content for part in parts if isinstance(part, TextPart)).strip()
        fenced = _FENCED.fullmatch(text)
        given = [fenced[1] if fenced else text]
    if len(given) > 1:
        raise ValueError(f"answer once, not {len(given)} times")
    try:
        whole = given[0]
        return output.model_validate_json(whole) if isinstance(whole, str) else output.model_validate(whole)
    except ValidationError as exc:
        raise ValueError("; ".join(_problem(error) for error in exc.errors())) from exc


def _problem(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc'])) or 'answer'}: {error['msg']}"
