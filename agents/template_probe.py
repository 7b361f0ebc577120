"""Dummy turns with marked contents, rendered by a chat template; what stands around the marks is its glue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from store.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Schemas = Sequence[Mapping[str, Any]]
# Some templates ask for a call id of nine characters, and for a date: one that does not change from day to day.
_CALL_ID = "callkarl0"
_DATE = "26 Jul 2024"


class Unsupported(UsageError):
    """The template can't express a sequence of turns."""


class TemplateProbe:
    """Text only; `ChatTemplate` makes ids of it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer

    def pieces(self, roles: Sequence[str], tools: Schemas = ()) -> list[str]:
        """Glue before the first, between, and after the last content of turns of `roles`. Raises: Unsupported."""
        text = self._render(roles, tools)
        pieces = []
        for index in range(len(roles)):
            before, found, text = text.partition(_mark(index))
            if not found:
                raise Unsupported(f"the template drops or alters the content of turn {index}")
            pieces.append(before)
        return [*pieces, text]

    def around(self, previous: str, role: str) -> list[str]:
        """The pieces of a conversation that ends with a `previous` and a `role` turn. Raises: Unsupported."""
        lead = ["user", "assistant"] if previous != "assistant" else ["user"]
        return self.pieces([*lead, previous, role])

    def spoken(self, role: str) -> str:
        """`tool`, unless the template refuses it or alters its content: then tool results are user turns."""
        return ("tool" if self._takes_tools else "user") if role == "tool" else role

    def lists(self, tools: Schemas) -> bool:
        """Whether the template writes the names of all `tools` into an opening."""
        try:
            text = self._render(["user"], tools)
        except Unsupported:
            return False
        return all(tool["function"]["name"] in text for tool in tools)

    @cached_property
    def _takes_tools(self) -> bool:
        try:
            self.around("assistant", "tool")
        except Unsupported:
            return False
        return True

    def _render(self, roles: Sequence[str], tools: Schemas) -> str:
        from jinja2 import TemplateError

        try:
            text = self._tokenizer.apply_chat_template(
                [_turn(role, _mark(index)) for index, role in enumerate(roles)],
                tools=[dict(tool) for tool in tools] or None,
                tokenize=False,
                add_generation_prompt=True,
                date_string=_DATE,
            )
        except (TemplateError, ValueError, TypeError) as exc:
            raise Unsupported(str(exc)) from exc
        return str(text)


def _mark(index: int) -> str:
    # A line break and a quote in it show up templates that trim or escape contents.
    return f'@KARL{index}"\n"LRAK{index}@'


def _turn(role: str, content: str) -> dict[str, Any]:
    turn = {"role": role, "content": content}
    return {**turn, "tool_call_id": _CALL_ID, "name": "search"} if role == "tool" else turn
