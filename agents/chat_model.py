"""The policy as a LangChain chat model, for tooling that speaks messages. Tokens travel in `additional_kwargs`.

Rollouts do not go through here: they extend token ids, which a list of messages can't.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field

from agents.chat_template import Message, TurnRole
from agents.conversation import Conversation
from agents.engines.base import GenerateRequest, SamplingParams
from agents.errors import EngineError, boundary
from agents.policy import Policy
from store.errors import UsageError

_ROLES: dict[str, TurnRole] = {"human": "user", "system": "system", "tool": "tool"}


class PolicyChatModel(BaseChatModel):
    """One continuation of the given messages. Raises: EngineError; UsageError for content that is no text."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    policy: Any = Field(exclude=True)
    max_tokens: int = Field(default=1_024, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    seed: int = 0

    @property
    def _llm_type(self) -> str:
        return "karl-policy"

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        policy: Policy = self.policy
        conversation = self._conversation(messages)
        sampling = SamplingParams(self.max_tokens, self.temperature, stop_ids=policy.stop_ids, seed=self.seed)
        prompt_ids = list(conversation.prompt())
        async with boundary(EngineError, f"engine {policy.engine.model}"):
            generation = await policy.engine.generate(GenerateRequest(prompt_ids, sampling))
        text = conversation.append_sampled(generation)
        message = AIMessage(
            content=_before(text, stop),
            additional_kwargs={
                "prompt_ids": prompt_ids,
                "token_ids": generation.token_ids,
                "logprobs": generation.logprobs,
            },
            response_metadata={"finish_reason": generation.finish_reason, "model_name": policy.engine.model},
            usage_metadata={
                "input_tokens": len(prompt_ids),
                "output_tokens": len(generation.token_ids),
                "total_tokens": len(prompt_ids) + len(generation.token_ids),
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return asyncio.run(self._agenerate(messages, stop))

    def _conversation(self, messages: Sequence[BaseMessage]) -> Conversation:
        """Messages as tokens; earlier replies of this model are taken by their ids, not by their text."""
        conversation = Conversation(self.policy.template)
        opening: list[Message] = []
        for message in messages:
            if isinstance(message, AIMessage):
                opening = _open(conversation, opening)
                conversation.prompt()
                _replay(conversation, message)
            elif conversation.opened:
                append = conversation.append_tool if message.type == "tool" else conversation.append_user
                append(_text(message))
            else:
                opening.append(Message(_ROLES.get(message.type, "user"), _text(message)))
        _open(conversation, opening)
        return conversation


def _open(conversation: Conversation, opening: list[Message]) -> list[Message]:
    if opening:
        conversation.start(opening)
    return []


def _replay(conversation: Conversation, message: AIMessage) -> None:
    ids = message.additional_kwargs.get("token_ids")
    conversation.append_given(conversation.template.encode(_text(message)) if ids is None else ids)


def _text(message: BaseMessage) -> str:
    if not isinstance(message.content, str):
        raise UsageError(f"a {message.type} message with content that is no text: the policy reads text only")
    return message.content


def _before(text: str, stop: Sequence[str] | None) -> str:
    ends = [text.index(mark) for mark in stop or () if mark in text]
    return text[: min(ends)] if ends else text
