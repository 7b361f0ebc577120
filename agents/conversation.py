"""A conversation kept as tokens: what the engine saw and sampled, with loss mask and log-probs.


Nothing is tokenised twice. A segment ends at a compression;
one request's prompt plus what was sampled is always a prefix of its segment.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.chat_template import ChatTemplate, Message, Schemas, TurnRole
from agents.dialogue import Usage
from agents.engines.base import GenerateRequest, Generation, SamplingParams
from prompts.output import ToolCall
from store.types import SegmentRecord


class Conversation:
    """T ids of the open segment with T mask bits (1: sampled) and T log-probs (nats; 0.0 where the mask is 0)."""

    def __init__(self, template: ChatTemplate) -> None:
        self.template = template
        self.token_ids: list[int] = []
        self.loss_mask: list[int] = []
        self.logprobs: list[float] = []
        self._closed: list[SegmentRecord] = []
        self._last: str = ""
        self._compressing = False
        self._decoded = (0, 0)  # the open segment's first tokens, and their characters
        self.tools: Schemas = ()  # for the template to list whenever a segment opens
        self.native_calls: tuple[ToolCall, ...] = ()  # never any: whatever it says is text
        self.opened = 0  # prompts started: engine sessions are named by it, since only a fresh prompt extends nothing

    def __len__(self) -> int:
        return len(self.token_ids)

    def start(self, messages: Sequence[Message]) -> None:
        """Open a segment with a fresh prompt. Raises: ValueError while one is open."""
        if self.token_ids or not messages:
            raise ValueError("a segment is open already" if self.token_ids else "a conversation starts with a message")
        self._insert(self.template.opening(messages, self.tools))
        self._last = messages[-1].role
        self.opened += 1

    def prompt(self) -> list[int]:
        """The ids to continue, the assistant's header included (written once). Treat as read-only; it grows."""
        if self._last == "assistant" or not self._last:
            raise ValueError("it is not the assistant's turn")
        if self._last != "header":
            self._insert(self.template.header(self._role(self._last)))
            self._last = "header"
        return self.token_ids

    @property
    def chars(self) -> int:
        """Characters of the open segment. Only what is new is decoded: all of it at every turn would be quadratic."""
        tokens, chars = self._decoded
        self._decoded = len(self), chars + len(self.template.decode(self.token_ids[tokens:]))
        return self._decoded[1]

    def request(self, sampling: SamplingParams, *, session: str, fork_of: str = "") -> GenerateRequest:
        """The open segment, to be continued. Raises: ValueError when it is not the assistant's turn."""
        return GenerateRequest(self.prompt(), sampling, session, fork_of)

    def usage(self, generation: Generation) -> Usage:
        """Of a continuation that is not yet appended."""
        return Usage(len(self), len(generation.token_ids))

    def append_sampled(self, generation: Generation) -> str:
        """Take what the engine sampled; returns its text, less the end of the turn.

        Raises: ValueError if it is not the assistant's turn or ids and log-probs differ in number.
        """
        ids, logprobs = generation.token_ids, generation.logprobs
        if self._last != "header" or len(ids) != len(logprobs):
            raise ValueError(
                f"can't append {len(ids)} ids with {len(logprobs)} log-probs after {self._last or 'nothing'!r}"
            )
        self.token_ids += ids
        self.loss_mask += [1] * len(ids)
        self.logprobs += logprobs
        self._last = "assistant"
        return self.text_of(generation)

    def text_of(self, generation: Generation) -> str:
        """Its text, less the end of the turn."""
        ids = generation.token_ids
        ended = bool(ids) and ids[-1] in self.template.stop_ids
        return self.template.decode(ids[:-1] if ended else ids)

    def append_given(self, token_ids: Sequence[int]) -> None:
        """An assistant turn that was not sampled here: as context, mask 0."""
        if self._last != "header":
            raise ValueError(f"can't append an assistant turn after {self._last or 'nothing'!r}")
        self._insert(token_ids)
        self._last = "assistant"

    def append_tool(self, text: str) -> None:
        """A tool's answer, as the template writes it."""
        self._append("tool", text)

    def append_user(self, text: str) -> None:
        self._append("user", text)

    def begin_compression(self, instruction: str) -> None:
        """Close the open segment; what follows is a segment of its own: x = the history, y = the summary."""
        self._close()
        self._compressing = True
        self._append("user", instruction)
        self.loss_mask = [0] * len(self.token_ids)
        self.logprobs = [0.0] * len(self.token_ids)

    def compress(self, messages: Sequence[Message]) -> None:
        """The summary was sampled: close its segment and start the next one from `messages`.

        Raises: ValueError outside a compression.
        """
        if not self._compressing or self._last != "assistant":
            raise ValueError("compress() follows begin_compression() and a sampled summary")
        self._close()
        self._compressing = False
        self.token_ids, self.loss_mask, self.logprobs, self._last = [], [], [], ""
        self._decoded = (0, 0)
        self.start(messages)

    def segments(self) -> list[SegmentRecord]:
        """Closed segments and the open one. Tokens after the last sampled one are left out: nobody answered them."""
        open_segment = self._record()
        return [*self._closed, open_segment] if open_segment else list(self._closed)

    def _append(self, role: TurnRole, text: str) -> None:
        if self._last in ("", "header"):
            raise ValueError(f"can't append a {role} turn after {self._last or 'nothing'!r}")
        self._insert(self._unsaid(self.template.between(self._last, role)))
        self._insert(self.template.encode(text))
        self._last = role

    def _unsaid(self, glue: list[int]) -> list[int]:
        """`glue` without the end of turn that stands there already."""
        if self._last != "assistant" or not self.token_ids:
            return glue
        last = self.token_ids[-1]
        stops = [index for index, token in enumerate(glue) if token in self.template.stop_ids]
        said = bool(stops) and (glue[stops[0]] == last or last in self.template.message_ends)
        return glue[stops[0] + 1 :] if said else glue

    def _insert(self, ids: Sequence[int]) -> None:
        self.token_ids += ids
        self.loss_mask += [0] * len(ids)
        self.logprobs += [0.0] * len(ids)

    def _role(self, last: str) -> TurnRole:
        return "tool" if last == "tool" else "system" if last == "system" else "user"

    def _close(self) -> None:
        record = self._record()
        if record:
            self._closed.append(record)

    def _record(self) -> SegmentRecord | None:
        if 1 not in self.loss_mask:
            return None
        end = len(self.loss_mask) - self.loss_mask[::-1].index(1)
        return SegmentRecord(self.token_ids[:end], self.loss_mask[:end], self.logprobs[:end], self._compressing)
