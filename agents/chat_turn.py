"""One reply of the chat model on its way: the request, what has been sampled of it, the message it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage

from agents.bound_tools import BoundTools
from agents.detokenizer import Detokenizer
from agents.engines.base import Delta, GenerateRequest, SamplingParams, joined
from agents.policy import Policy
from agents.replay import replay
from agents.text_gate import TextGate


class ChatTurn:
    """`hear` every delta, `end` once; then `message` or `last_chunk`."""

    def __init__(
        self,
        policy: Policy,
        messages: Sequence[BaseMessage],
        *,
        tools: BoundTools,
        stops: Sequence[str],
        sampling: Mapping[str, Any],
    ) -> None:
        self._template = policy.template
        self._model = policy.engine.model
        self._tools = tools
        conversation = replay(messages, policy.template, tools=tools, model=self._model)
        chosen = SamplingParams(**sampling, stop_ids=policy.stop_ids)
        self.request = GenerateRequest(list(conversation.prompt()), chosen)
        self.gate = TextGate(stops=stops, marks=tools.marks)
        self._words = Detokenizer(policy.template.decode)
        self._heard: list[Delta] = []

    def hear(self, delta: Delta) -> str:
        """Take what was sampled; returns the text that is certain now. Nothing after a stop text is kept."""
        last = delta.token_ids[-1:]
        ended = bool(last) and last[0] in self._template.stop_ids  # the end of the turn is no text of it
        certain = ""
        for count, token in enumerate(delta.token_ids[:-1] if ended else delta.token_ids, 1):
            certain += self.gate.push(self._words.push([token]))
            if self.gate.stopped:
                delta = Delta(delta.token_ids[:count], delta.logprobs[:count], "stop")
                break
        self._heard.append(delta)
        return certain

    def end(self) -> str:
        """No more is coming; text that was held back as the beginning of a character."""
        return "" if self.gate.stopped else self.gate.push(self._words.finish())

    def message(self) -> dict[str, Any]:
        """The fields of the whole reply."""
        generation = joined(self._heard)
        prompt_ids = list(self.request.prompt_ids)
        # Prompts only grow in a conversation: the length tells its turns apart.
        turn = self._tools.read(self.gate.text, call_id=f"call_{len(prompt_ids)}")
        sampled = len(generation.token_ids)
        return {
            "content": turn.content,
            "tool_calls": turn.calls,
            "invalid_tool_calls": turn.invalid,
            "additional_kwargs": {
                "prompt_ids": prompt_ids,
                "token_ids": generation.token_ids,
                "logprobs": generation.logprobs,
            },
            "response_metadata": {"finish_reason": generation.finish_reason, "model_name": self._model},
            "usage_metadata": {
                "input_tokens": len(prompt_ids),
                "output_tokens": sampled,
                "total_tokens": len(prompt_ids) + sampled,
            },
        }

    def last_chunk(self) -> AIMessageChunk:
        """What the chunks so far have not said: the rest of the text, calls, tokens, usage."""
        fields = self.message()
        rest = fields.pop("content")[len(self.gate.given) :]
        return AIMessageChunk(content=rest, chunk_position="last", **fields)
