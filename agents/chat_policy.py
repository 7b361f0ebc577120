"""A policy behind a chat endpoint: it speaks messages, its tokens are unknown, and nothing is trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from agents.chat_template import ChatTemplate
from agents.dialogue import CallStyle
from agents.engines.base import Engine
from agents.engines.settings import ChatSettings
from agents.errors import EngineError
from agents.message_conversation import MessageConversation
from agents.policy import Policy, PolicyProfile


@dataclass(frozen=True)
class ChatPolicy(Policy):
    """`tokenizer` is None. Raises: EngineError where something asks for tokens."""

    speaks_tokens: ClassVar[bool] = False

    @property
    def template(self) -> ChatTemplate:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise EngineError(f"{self.engine.model} is behind a chat endpoint: its tokens and chat template are unknown")

    @property
    def style(self) -> CallStyle:
        # The endpoint lists tools itself; MessageConversation writes its calls down in Hermes form.
        return CallStyle("hermes", "", lambda tools: True)

    @property
    def stop_ids(self) -> tuple[int, ...]:
        return ()

    def conversation(self) -> MessageConversation:
        return MessageConversation()


def chat_policy(settings: ChatSettings, *, engine: Engine) -> ChatPolicy:
    tokenizer: Any = None  # nothing may use it
    return ChatPolicy(engine, tokenizer, chat_profile(settings))


def chat_profile(settings: ChatSettings) -> PolicyProfile:
    return PolicyProfile(name=settings.model, context_tokens=settings.context_tokens)
