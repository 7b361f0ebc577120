"""What a graph needs of a conversation, whether it is kept as tokens or as messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agents.chat_template import Message, Schemas
from agents.engines.base import GenerateRequest, Generation, SamplingParams
from prompts.output import CallFormatName, ToolCall
from store.types import SegmentRecord


class Usage(NamedTuple):
    """Tokens that one continuation read and wrote."""

    prompt_tokens: int
    sampled_tokens: int


@dataclass(frozen=True, slots=True)
class CallStyle:
    """How a policy writes calls and learns of its tools.

    `call_format` None: nobody knows. `opened_reasoning`: what its turns begin inside of. `lists`: whether it can be
    told of all these tools other than by a prompt.
    """

    call_format: CallFormatName | None
    opened_reasoning: str
    lists: Callable[[Schemas], bool]


class Dialogue(Protocol):
    """`agents.conversation.Conversation` over tokens, `agents.message_conversation.MessageConversation` over messages.

    `tools`: what the opening prompt announces natively. `opened`: fresh prompts so far; one more than compressions.
    `native_calls`: those that the last turn made apart from its text; the text ends with them as they would be written.
    """

    tools: Schemas
    opened: int
    native_calls: tuple[ToolCall, ...]

    def __len__(self) -> int:
        """Tokens of the open prompt; an estimate where the endpoint alone could count them."""
        ...

    @property
    def chars(self) -> int:
        """Characters of the open prompt."""
        ...

    def start(self, messages: Sequence[Message]) -> None: ...

    def request(self, sampling: SamplingParams, *, session: str, fork_of: str = "") -> GenerateRequest:
        """What the engine is to continue. Raises: ValueError when it is not the policy's turn."""
        ...

    def usage(self, generation: Generation) -> Usage:
        """Of a continuation that is not yet appended."""
        ...

    def append_sampled(self, generation: Generation) -> str: ...

    def append_user(self, text: str) -> None: ...

    def append_tool(self, text: str) -> None: ...

    def begin_compression(self, instruction: str) -> None: ...

    def compress(self, messages: Sequence[Message]) -> None: ...

    def segments(self) -> list[SegmentRecord]: ...
