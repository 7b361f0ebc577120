"""The policy as a LangChain chat model, for tooling that speaks messages. Tokens travel in `additional_kwargs`.

Rollouts do not go through here: they extend token ids, which a list of messages can't.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field

from agents.bound_tools import BoundTools, Form
from agents.chat_turn import ChatTurn
from agents.engines.base import Delta, GenerateRequest, StreamingEngine
from agents.errors import EngineError, boundary
from agents.loop_thread import waiting_loop
from agents.policy import Policy
from agents.replay import replay, with_question
from agents.tool_choice import chosen_tools

# A single call's own settings, as `bind` or `invoke` give them.
_SAMPLING = ("max_tokens", "temperature", "top_p", "seed")


class PolicyChatModel(BaseChatModel):
    """One continuation of the given messages. Raises: EngineError; UsageError for content that is no text.

    With `bind_tools` the calls in a reply become its `tool_calls`, malformed ones `invalid_tool_calls`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    policy: Any = Field(exclude=True)
    max_tokens: int = Field(default=1_024, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    call_format: Form = Field(default="auto", description="how tool calls are written; auto: as the chat template does")

    @property
    def _llm_type(self) -> str:
        return "karl-policy"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.policy.engine.model, **{name: getattr(self, name) for name in _SAMPLING}}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"], params["ls_model_name"] = "karl", self.policy.engine.model
        return params

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Announced by the chat template where it lists tools, else in words before the first message.

        tool_choice: "none" announces no tool, a name that one alone; "auto", "any" and True leave the choice to the
        policy, which can't be forced; a mapping says the same in OpenAI's or Anthropic's way.
        Raises: UsageError for a name that is not among `tools`, or a choice of another shape.
        """
        schemas = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=chosen_tools(schemas, tool_choice), **kwargs)

    def _turn(self, messages: list[BaseMessage], stop: list[str] | None, given: dict[str, Any]) -> ChatTurn:
        tools = BoundTools(tuple(given.get("tools") or ()), self.policy.template, self.call_format)
        sampling = {name: getattr(self, name) if given.get(name) is None else given[name] for name in _SAMPLING}
        return ChatTurn(self.policy, messages, tools=tools, stops=stop or (), sampling=sampling)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turn = self._turn(messages, stop, kwargs)
        policy: Policy = self.policy
        async with boundary(EngineError, f"engine {policy.engine.model}"):
            generation = await policy.engine.generate(turn.request)
        turn.hear(Delta(*generation))
        turn.end()
        return ChatResult(generations=[ChatGeneration(message=AIMessage(**turn.message()))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """Text as it is sampled, but nothing of a tool call before it is whole; the last chunk holds all the rest."""
        turn = self._turn(messages, stop, kwargs)
        async with (
            boundary(EngineError, f"engine {self.policy.engine.model}"),
            aclosing(_deltas(self.policy, turn.request)) as deltas,
        ):
            async for delta in deltas:
                if text := turn.hear(delta):
                    yield ChatGenerationChunk(message=AIMessageChunk(content=text))
                if turn.gate.stopped:
                    break
        if text := turn.end():
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        yield ChatGenerationChunk(message=turn.last_chunk())

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return waiting_loop().run(self._agenerate(messages, stop, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        return waiting_loop().iterate(self._astream(messages, stop, **kwargs))

    def get_token_ids(self, text: str) -> list[int]:
        """Of the policy's own tokenizer, if no other was given; strings that spell special tokens are text."""
        return (self.custom_get_token_ids or self.policy.encode)(text)

    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
    ) -> int:
        """As long as the prompt that the policy would read, chat template and tools included."""
        bound = BoundTools(tuple(map(convert_to_openai_tool, tools or ())), self.policy.template, self.call_format)
        asked = with_question(messages)
        conversation = replay(asked, self.policy.template, tools=bound, model=self.policy.engine.model)
        return len(conversation) if isinstance(asked[-1], AIMessage) else len(conversation.prompt())


async def _deltas(policy: Policy, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
    if not isinstance(policy.engine, StreamingEngine):
        yield Delta(*await policy.engine.generate(request))
        return
    async with aclosing(policy.engine.stream(request)) as stream:
        async for delta in stream:
            yield delta
