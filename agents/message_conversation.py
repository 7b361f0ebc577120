"""A conversation kept as messages, for chat endpoints: there are no tokens, hence no segments to train on.

A native call of the endpoint is recorded at the end of the turn's text, as a Hermes block.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agents.chat_template import Message, Schemas
from agents.dialogue import Usage
from agents.engines.base import Generation, SamplingParams
from agents.engines.chat import ChatReply, ChatRequest, NativeCall
from prompts.output import ToolCall
from prompts.tool_calls.base import call_of
from store.types import SegmentRecord

CHARS_PER_TOKEN = 4  # of English prose; only where the endpoint does not count


class MessageConversation:
    """`Dialogue` over `messages`, in the form that the endpoint takes."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.tools: Schemas = ()
        self.native_calls: tuple[ToolCall, ...] = ()
        self.opened = 0
        self._pending: list[str] = []  # native calls that no reply has answered yet
        self._counted = 0  # tokens of the first `_known` characters, by the endpoint's count
        self._known = 0

    def __len__(self) -> int:
        return self._counted + _estimate(self.chars - self._known)

    @property
    def chars(self) -> int:
        return sum(map(_chars, self.messages))

    def start(self, messages: Sequence[Message]) -> None:
        """Open with a fresh prompt. Raises: ValueError while one is open."""
        if self.messages or not messages:
            raise ValueError("a prompt is open already" if self.messages else "a conversation starts with a message")
        self.messages = [{"role": message.role, "content": message.content} for message in messages]
        self.opened += 1

    def request(self, sampling: SamplingParams, *, session: str, fork_of: str = "") -> ChatRequest:
        """Raises: ValueError when it is not the assistant's turn."""
        self._settle_calls()
        if not self.messages or self.messages[-1]["role"] == "assistant":
            raise ValueError("it is not the assistant's turn")
        return ChatRequest((), sampling, session, fork_of, messages=tuple(self.messages), tools=self.tools)

    def usage(self, generation: Generation) -> Usage:
        """The endpoint's count, or an estimate where it gives none."""
        reply = _reply(generation)
        prompt, sampled = reply.prompt_tokens, reply.sampled_tokens
        return Usage(
            len(self) if prompt is None else prompt,
            _estimate(len(_written(reply))) if sampled is None else sampled,
        )

    def append_sampled(self, generation: Generation) -> str:
        """Take the reply; returns its text, native calls included. Raises: ValueError if it is no chat endpoint's."""
        reply = _reply(generation)
        message: dict[str, Any] = {"role": "assistant", "content": reply.text}
        self.native_calls = tuple(map(_called, reply.calls))
        if reply.calls:
            message["tool_calls"] = [_native(call) for call in reply.calls]
            self._pending = [call.id for call in reply.calls]
        counted = sum(self.usage(reply))
        self.messages.append(message)
        self._counted, self._known = counted, self.chars
        return _written(reply)

    def append_user(self, text: str) -> None:
        self._settle_calls()
        self._say(text)

    def append_tool(self, text: str) -> None:
        """A tool's answer: to the first native call without one, else as the user's words."""
        if self._pending:
            self.messages.append({"role": "tool", "tool_call_id": self._pending.pop(0), "content": text})
        else:
            self._say(text)

    def begin_compression(self, instruction: str) -> None:
        self.append_user(instruction)

    def compress(self, messages: Sequence[Message]) -> None:
        """The summary was written: start anew from `messages`."""
        self.messages, self._pending, self._counted, self._known = [], [], 0, 0
        self.start(messages)

    def segments(self) -> list[SegmentRecord]:
        return []

    def _say(self, text: str) -> None:
        # Some endpoints insist on alternation: two user turns in a row become two paragraphs of one.
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1] = {"role": "user", "content": f"{self.messages[-1]['content']}\n\n{text}"}
        else:
            self.messages.append({"role": "user", "content": text})

    def _settle_calls(self) -> None:
        """Endpoints refuse a history in which a call has no reply."""
        while self._pending:
            self.append_tool("This call was not carried out.")


def _reply(generation: Generation) -> ChatReply:
    if not isinstance(generation, ChatReply):
        raise ValueError("a conversation of messages takes replies of a chat endpoint, not tokens")
    return generation


def _written(reply: ChatReply) -> str:
    blocks = list(map(_block, reply.calls))
    return "\n".join([reply.text, *blocks] if reply.text else blocks)


def _block(call: NativeCall) -> str:
    """In Hermes form; arguments that are no JSON stay as they are."""
    return f'<tool_call>\n{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}\n</tool_call>'


def _called(call: NativeCall) -> ToolCall:
    try:
        arguments = json.loads(call.arguments or "{}")
    except json.JSONDecodeError:
        arguments = call.arguments  # `call_of` mends it, or says what is wrong with it
    return call_of({"name": call.name, "arguments": arguments}, _block(call))


def _native(call: NativeCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _chars(message: dict[str, Any]) -> int:
    calls = message.get("tool_calls", ())
    return len(message["content"]) + sum(len(json.dumps(call["function"])) for call in calls)


def _estimate(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)
