"""A chat endpoint's answers, and the policy over a wire double that gives them."""

from __future__ import annotations

from typing import Any

from agents.chat_policy import ChatPolicy, chat_policy
from agents.engines.chat import ChatEngine
from agents.engines.router import Router
from agents.engines.settings import ChatSettings, RouterSettings
from tests.wire_double import Answer


def said(text: str, *calls: tuple[str, str, str], usage: tuple[int, int] | None = (100, 7), finish: str = "") -> Answer:
    """`calls`: (id, name, arguments as JSON)."""
    native = [{"id": id_, "type": "function", "function": {"name": n, "arguments": a}} for id_, n, a in calls]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if native:
        message["tool_calls"] = native
    body: dict[str, Any] = {
        "choices": [{"message": message, "finish_reason": finish or ("tool_calls" if calls else "stop")}]
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return Answer(200, body)


def settings(url: str, **changes: Any) -> ChatSettings:
    return ChatSettings(**{"base_url": url, "model": "hosted", "api_key": "k", **changes})


def policy(url: str, **changes: Any) -> ChatPolicy:
    chat = settings(url, **changes)
    quick = RouterSettings(backoff_seconds=0.01, cool_down_seconds=0.01)
    return chat_policy(chat, engine=Router([ChatEngine(chat)], quick))
