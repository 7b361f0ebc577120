"""LangChain messages as a token conversation: earlier replies of this policy by their ids, all else by its text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agents.bound_tools import BoundTools
from agents.chat_template import ChatTemplate, Message, TurnRole
from agents.conversation import Conversation
from store.errors import UsageError

_ROLES: dict[str, TurnRole] = {"human": "user", "system": "system", "tool": "tool"}


def replay(messages: Sequence[BaseMessage], template: ChatTemplate, *, tools: BoundTools, model: str) -> Conversation:
    """Raises: UsageError for content that is no text, or a conversation that begins with an assistant's turn."""
    conversation = Conversation(template)
    conversation.tools = tools.listed
    opening: list[Message] = []
    for message in messages:
        if isinstance(message, AIMessage):
            opening = _open(conversation, opening, tools)
            conversation.prompt()
            conversation.append_given(_ids(message, template, model))
        elif conversation.opened:
            append = conversation.append_tool if message.type == "tool" else conversation.append_user
            append(text_of(message))
        else:
            opening.append(Message(_ROLES.get(message.type, "user"), text_of(message)))
    _open(conversation, opening, tools)
    return conversation


def with_question(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The messages with an empty question where they have none before the first reply: a cut of a conversation."""
    lead = next((place for place, message in enumerate(messages) if message.type != "system"), len(messages))
    if lead < len(messages) and messages[lead].type == "human":
        return list(messages)
    return [*messages[:lead], HumanMessage(""), *messages[lead:]]


def _open(conversation: Conversation, opening: list[Message], tools: BoundTools) -> list[Message]:
    if opening:
        conversation.start(tools.announce(opening))
    elif not conversation.opened:
        raise UsageError("the messages begin with an assistant's turn; put a system or human message before it")
    return []


def _ids(message: AIMessage, template: ChatTemplate, model: str) -> Sequence[int]:
    """Of the tokens that were sampled; another model's ids mean nothing here."""
    ids = message.additional_kwargs.get("token_ids")
    if ids is not None and message.response_metadata.get("model_name") == model:
        return ids
    calls = [
        "<tool_call>\n" + json.dumps({"name": call["name"], "arguments": call["args"]}) + "\n</tool_call>"
        for call in message.tool_calls
    ]
    return template.encode("\n".join(filter(None, [text_of(message), *calls])))


def text_of(message: BaseMessage) -> str:
    """The message's text; of several blocks, all. Raises: UsageError for a block that is no text."""
    if isinstance(message.content, str):
        return message.content
    texts = [block if isinstance(block, str) else block.get("text") for block in message.content]
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"a {message.type} message with content that is no text: the policy reads text only")
    return "\n".join(map(str, texts))
