"""The chat engine over a wire double, and the conversation of messages that it continues."""

from __future__ import annotations

from typing import Any

import pytest

from agents.chat_template import Message
from agents.engines.base import GenerateRequest, Generation, SamplingParams
from agents.engines.chat import ChatEngine, ChatReply, ChatRequest, NativeCall
from agents.errors import EndpointError, EngineError
from agents.message_conversation import MessageConversation
from tests.graphs.chat_kit import policy, said, settings
from tests.wire_double import Answer, server

SAMPLING = SamplingParams(max_tokens=64, temperature=0.5, top_p=0.9, stop_ids=(3,), seed=2**62 + 5)
SEARCH = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}


def request(*, tools: tuple[dict[str, Any], ...] = ()) -> ChatRequest:
    return ChatRequest((), SAMPLING, "s", messages=({"role": "user", "content": "who?"},), tools=tools)


async def test_wire_double_messages_in_and_a_message_out() -> None:
    async with server(lambda body: said("mira", usage=(12, 3))) as (url, seen):
        reply = await ChatEngine(settings(url)).generate(request())
    assert (reply.text, reply.finish_reason, reply.prompt_tokens, reply.sampled_tokens) == ("mira", "stop", 12, 3)
    assert reply.token_ids == [] and reply.logprobs == []
    assert seen == [
        {
            "path": "/v1/chat/completions",
            "authorization": "Bearer k",
            "model": "hosted",
            "messages": [{"role": "user", "content": "who?"}],
            "max_tokens": 64,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 5,
        }
    ]


async def test_wire_double_keys_are_left_out_added_and_renamed() -> None:
    changes = {
        "omit": ("temperature", "top_p", "seed"),
        "extra": {"reasoning_effort": "low"},
        "limit_key": "max_completion_tokens",
    }
    async with server(lambda body: said("x")) as (url, seen):
        await ChatEngine(settings(url, **changes)).generate(request(tools=(SEARCH,)))
    assert seen[0].keys() - {"path", "authorization"} == {
        "model",
        "messages",
        "max_completion_tokens",
        "reasoning_effort",
        "tools",
    }
    assert seen[0]["tools"] == [SEARCH]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (said("x", finish="content_filter"), "broke off the generation: content_filter"),
        (Answer(200, {"choices": []}), "without a readable 'choices'"),
        (Answer(200, {"choices": [{"message": {"content": 3}, "finish_reason": "stop"}]}), "readable 'choices.0.mess"),
        (Answer(401, {"error": "no such key"}), "status 401.*no such key"),
    ],
)
async def test_wire_double_errors_are_typed(answer: Answer, message: str) -> None:
    async with server(lambda body: answer) as (url, _):
        with pytest.raises(EngineError, match=message):
            await ChatEngine(settings(url)).generate(request())


async def test_wire_double_retries_are_the_routers() -> None:
    answers = iter([Answer(429, {}, {"Retry-After": "0.05"}), Answer(500, {}), said("mira")])
    async with server(lambda body: next(answers)) as (url, seen):
        reply = await policy(url).engine.generate(request())
    assert isinstance(reply, ChatReply) and reply.text == "mira" and seen[0] == seen[1] == seen[2]


async def test_tokens_are_refused() -> None:
    with pytest.raises(EngineError, match="takes messages, not token ids"):
        await ChatEngine(settings("http://127.0.0.1:9/v1")).generate(GenerateRequest([1], SAMPLING))
    with pytest.raises(EndpointError, match="endpoint down"):
        await ChatEngine(settings("http://127.0.0.1:9/v1")).generate(request())
    with pytest.raises(EngineError, match="hosted is behind a chat endpoint: its tokens and chat template are unknown"):
        policy("http://127.0.0.1:9/v1").encode("x")


def opened() -> MessageConversation:
    conversation = MessageConversation()
    conversation.start([Message("system", "be brief"), Message("user", "who leads?")])
    return conversation


def test_text_turns_alternate_and_tool_results_are_the_users() -> None:
    conversation = opened()
    assert conversation.append_sampled(ChatReply.make("<search>x</search>", "stop")) == "<search>x</search>"
    conversation.append_tool("[1] mira leads")
    conversation.append_user("answer now")
    assert conversation.request(SAMPLING, session="s").messages == (
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "who leads?"},
        {"role": "assistant", "content": "<search>x</search>"},
        {"role": "user", "content": "[1] mira leads\n\nanswer now"},
    )
    assert conversation.segments() == [] and conversation.opened == 1


def test_native_calls_become_text_for_the_parser_and_get_their_replies_in_order() -> None:
    conversation = opened()
    calls = (NativeCall("a", "search", '{"query": "x"}'), NativeCall("b", "search", '{"query": '))
    text = conversation.append_sampled(ChatReply.make("let me see", "stop", calls=calls))
    assert text == (
        'let me see\n<tool_call>\n{"name": "search", "arguments": {"query": "x"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "search", "arguments": {"query": }\n</tool_call>'
    )
    conversation.append_tool("[1] mira")
    conversation.append_user("go on")  # the second call was not answered: endpoints refuse such a history
    sent = conversation.request(SAMPLING, session="s").messages
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert [(m["tool_call_id"], m["content"]) for m in sent if m["role"] == "tool"] == [
        ("a", "[1] mira"),
        ("b", "This call was not carried out."),
    ]
    assert [call["id"] for call in sent[2]["tool_calls"]] == ["a", "b"]


def test_length_is_the_endpoints_count_and_an_estimate_of_what_came_since() -> None:
    conversation = opened()
    assert len(conversation) == -(-len("be briefwho leads?") // 4)
    counted = ChatReply.make("mira", "stop", prompt_tokens=50, sampled_tokens=9)
    assert conversation.usage(counted) == (50, 9)
    conversation.append_sampled(counted)
    conversation.append_tool("x" * 40)
    assert len(conversation) == 59 + 10
    assert conversation.usage(ChatReply.make("a" * 21, "stop")) == (69, 6)


def test_a_compression_starts_anew() -> None:
    conversation = opened()
    conversation.append_sampled(ChatReply.make("<search>x</search>", "stop", prompt_tokens=500, sampled_tokens=9))
    conversation.begin_compression("summarise")
    conversation.append_sampled(ChatReply.make("mira leads", "stop", prompt_tokens=600, sampled_tokens=4))
    conversation.compress([Message("user", "noted: mira leads")])
    assert conversation.messages == [{"role": "user", "content": "noted: mira leads"}]
    assert (conversation.opened, len(conversation)) == (2, 5)


def test_turns_out_of_order_are_bugs() -> None:
    conversation = opened()
    with pytest.raises(ValueError, match="a prompt is open already"):
        conversation.start([Message("user", "x")])
    with pytest.raises(ValueError, match="replies of a chat endpoint, not tokens"):
        conversation.append_sampled(Generation([1], [-0.5], "stop"))
    conversation.append_sampled(ChatReply.make("x", "stop"))
    with pytest.raises(ValueError, match="not the assistant's turn"):
        conversation.request(SAMPLING, session="s")
