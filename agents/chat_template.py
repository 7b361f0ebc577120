"""What a model's chat template puts between turns, as token ids, found once by rendering dummy turns.

Contents are encoded apart from the glue and without special tokens, so that text from a document can never open a turn.
Tool lists are glue; a tool whose description spells a special token is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from agents.template_probe import Schemas, TemplateProbe, Unsupported
from prompts.output import CallFormatName
from prompts.tool_calls import detect_format
from store.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

TurnRole = Literal["system", "user", "tool"]
# Ends of a message that begins a tool call (Llama 3.1): no template writes them where an end of turn could be seen.
_ENDS_OF_MESSAGE = ("<|eom_id|>",)
_OPEN_REASONING = re.compile(r"<think(?:ing)?>\s*\Z")


class Message(NamedTuple):
    """One turn that the policy did not write."""

    role: TurnRole
    content: str


class ChatTemplate:
    """Glue of one tokenizer's chat template, as token ids. Raises UsageError for a tokenizer it can't drive."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise UsageError(
                f"tokenizer of {tokenizer.name_or_path!r} has no chat template; add chat_template.jinja to it"
            )
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise UsageError(
                f"tokenizer of {tokenizer.name_or_path!r} is no fast tokenizer; convert it to tokenizer.json"
            )
        self._tokenizer = tokenizer
        self._probe = TemplateProbe(tokenizer)
        self._glue_encoder: Tokenizer = backend
        self._between: dict[tuple[str, TurnRole], list[int]] = {}
        self._after: dict[TurnRole, list[int]] = {}
        self._openings: dict[tuple[tuple[str, ...], str], list[list[int]]] = {}

    @cached_property
    def _text_encoder(self) -> Tokenizer:
        from tokenizers import Tokenizer

        encoder = Tokenizer.from_str(self._glue_encoder.to_str())
        encoder.encode_special_tokens = True
        return encoder

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Special ids that end an assistant turn: what the template puts first after one, and the end of sequence."""
        special = set(self._tokenizer.all_special_ids) | self._added_special
        firsts = (next((i for i in self.between("assistant", role) if i in special), None) for role in ("user", "tool"))
        ids = dict.fromkeys((*firsts, self._tokenizer.eos_token_id, *self.message_ends))
        return tuple(i for i in ids if isinstance(i, int))

    @cached_property
    def message_ends(self) -> tuple[int, ...]:
        """Ids that stand in place of the end of turn after a tool call."""
        ids = (self._glue_encoder.token_to_id(token) for token in _ENDS_OF_MESSAGE)
        return tuple(i for i in ids if i is not None)

    @cached_property
    def call_format(self) -> CallFormatName | None:
        """How the template writes tool calls; None: it writes none."""
        return detect_format(self._source)

    @cached_property
    def opened_reasoning(self) -> str:
        """The <think> that the assistant's header ends with, if it does: every turn begins inside a reasoning block."""
        header = self.decode(self.header("user"))
        match = _OPEN_REASONING.search(header)
        return match[0] if match else ""

    @property
    def _source(self) -> str:
        """One template may be several by name; `default` is the one that is rendered."""
        source = self._tokenizer.chat_template
        return "\n".join(map(str, source.values())) if isinstance(source, dict) else str(source)

    def lists(self, tools: Schemas) -> bool:
        """Whether the template writes the names of all `tools` into an opening."""
        return self._probe.lists(tools)

    @cached_property
    def _added_special(self) -> set[int]:
        return {i for i, token in self._glue_encoder.get_added_tokens_decoder().items() if token.special}

    def encode(self, text: str) -> list[int]:
        """Content as ids; strings that spell special tokens stay text."""
        return self._text_encoder.encode(text, add_special_tokens=False).ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """Special tokens are kept: tags of a protocol may be special tokens."""
        return self._glue_encoder.decode(list(token_ids), skip_special_tokens=False)

    def opening(self, messages: Sequence[Message], tools: Schemas = ()) -> list[int]:
        """Prompt of a fresh conversation, up to (and without) the assistant's header.

        `tools`: JSON Schemas of functions, for the template to list. Where it has no system turns, or wants turns to
        alternate, messages become paragraphs of one. Raises: UsageError for tools that spell a special token.
        """
        messages = self._spoken_opening(messages, tools)
        ids: list[int] = []
        for glue, message in zip(self._opening_glue(messages, tools), messages, strict=True):
            ids += glue
            ids += self.encode(message.content)
        return ids

    def _spoken_opening(self, messages: Sequence[Message], tools: Schemas) -> Sequence[Message]:
        try:
            self._opening_glue(messages, tools)
        except Unsupported:
            if len(messages) == 1:
                raise
            return [Message("user", "\n\n".join(message.content for message in messages))]
        return messages

    def _opening_glue(self, messages: Sequence[Message], tools: Schemas) -> list[list[int]]:
        roles = tuple(message.role for message in messages)
        key = (roles, json.dumps(list(tools), sort_keys=True) if tools else "")
        if key not in self._openings:
            self._refuse_special(tools)
            self._openings[key] = [self._encode_glue(piece) for piece in self._probe.pieces(roles, tools)[:-1]]
        return self._openings[key]

    def _refuse_special(self, tools: Schemas) -> None:
        """A tool of a foreign server must not open a turn."""
        specials = [token.content for token in self._glue_encoder.get_added_tokens_decoder().values() if token.special]
        for tool in tools:
            text = json.dumps(tool, ensure_ascii=False)
            if spelt := next((special for special in specials if special in text), None):
                raise UsageError(
                    f"the tool '{tool['function']['name']}' spells the special token {spelt!r}; leave it out"
                )

    def between(self, previous: str, role: TurnRole) -> list[int]:
        """Ids from the end of a `previous` turn's content to the start of a `role` turn's content."""
        if (previous, role) not in self._between:
            self._between[previous, role] = self._find_between(previous, role)
        return self._between[previous, role]

    def header(self, role: TurnRole) -> list[int]:
        """Ids from the end of a `role` turn's content to where the assistant begins."""
        if role not in self._after:
            spoken = self._probe.spoken(role)
            pieces = self._probe.pieces(["user"]) if role == "user" else self._probe.around("assistant", spoken)
            self._after[role] = self._encode_glue(pieces[-1])
        return self._after[role]

    def _find_between(self, previous: str, role: TurnRole) -> list[int]:
        try:
            return self._encode_glue(self._probe.around(self._probe.spoken(previous), self._probe.spoken(role))[-2])
        except Unsupported:
            if previous == "assistant":
                raise UsageError(
                    f"the chat template of {self._tokenizer.name_or_path!r} takes no {role} turn"
                ) from None
            # The template insists on alternation: two turns in a row become two paragraphs of one.
            return self.encode("\n\n")

    def _encode_glue(self, text: str) -> list[int]:
        return self._glue_encoder.encode(text, add_special_tokens=False).ids if text else []


@lru_cache(maxsize=8)
def _template(tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    return ChatTemplate(tokenizer)


def chat_template(tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    """The (cached) glue of `tokenizer`."""
    return _template(tokenizer)
