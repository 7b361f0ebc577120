"""The policy as a LangChain chat model: tools bound and called, streaming, stop texts, callbacks, a stock agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage, trim_messages
from langchain_core.tools import tool
from langgraph.prebuilt import create_react_agent

from agents.chat_model import PolicyChatModel
from agents.chat_template import chat_template
from agents.engines.base import Delta, GenerateRequest
from agents.engines.scripted import ScriptedEngine
from agents.policy import Policy, PolicyProfile
from agents.text_gate import TextGate
from agents.tools import SearchTool
from store.errors import UsageError
from store.types import Hit
from tests.harness_kit import NOTES, SPECIAL, TINY_TEMPLATE, ListSearcher, byte_tokenizer, scripted_policy, text_policy

# Lists tools as Qwen's template does, and writes calls that way.
TOOL_TEMPLATE = (
    "{% if tools %}<|system|>Tools:{% for t in tools %} {{ t | tojson }}{% endfor %}<tool_call><|end|>{% endif %}"
)
HERMES = '<tool_call>\n{"name": "vector_search", "arguments": {"query": "falcon"}}\n</tool_call>'


@tool
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


class StreamingScript(ScriptedEngine):
    """Delivers the scripted reply `size` tokens at a time."""

    size = 2
    taken = 0

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
        whole = await self.generate(request)
        for start in range(0, len(whole.token_ids), self.size):
            end = start + self.size
            self.taken = min(end, len(whole.token_ids))
            reason = whole.finish_reason if end >= len(whole.token_ids) else None
            yield Delta(whole.token_ids[start:end], whole.logprobs[start:end], reason)


def streaming_policy(*replies: str, size: int = 2) -> Policy:
    tokenizer, turns = byte_tokenizer(), iter(replies)
    engine = StreamingScript(lambda _: next(turns), template=chat_template(tokenizer), model="streams")
    engine.size = size
    return Policy(engine, tokenizer, PolicyProfile(context_tokens=8_192))


def listing_policy(*replies: str) -> Policy:
    """Its chat template lists tools."""
    tokenizer, turns = byte_tokenizer(), iter(replies)
    tokenizer.chat_template = TOOL_TEMPLATE + TINY_TEMPLATE
    return Policy(ScriptedEngine(lambda _: next(turns), template=chat_template(tokenizer)), tokenizer, PolicyProfile())


def prompt_of(policy: Policy, message: AIMessage) -> str:
    return policy.decode(message.additional_kwargs["prompt_ids"])


async def test_calls_of_bound_tools() -> None:
    both = f"I look.\n{HERMES}\n" + '<tool_call>{"name": "add", "arguments": {"a": "2", "b": 3}}</tool_call>\n'
    policy = text_policy(both)
    model = PolicyChatModel(policy=policy).bind_tools([SearchTool(searcher=ListSearcher(NOTES)), add])
    reply = await model.ainvoke("who?")
    assert reply.content == "I look."
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [
        ("vector_search", {"query": "falcon"}),
        ("add", {"a": 2, "b": 3}),  # "2" read as the schema wants it
    ]
    length = len(reply.additional_kwargs["prompt_ids"])
    assert [call["id"] for call in reply.tool_calls] == [f"call_{length}_0", f"call_{length}_1"]
    # The policy's own tokens, calls included, are what the next turn continues.
    assert policy.decode(reply.additional_kwargs["token_ids"]).startswith(both)


async def test_tools_are_announced_in_words_or_by_the_template() -> None:
    policy = text_policy("hm")
    told = prompt_of(policy, await PolicyChatModel(policy=policy).bind_tools([add]).ainvoke("2 + 3?"))
    assert told.startswith("<|user|>You can call these tools:\n- add: The sum of two numbers. Arguments")
    assert '"a": {"type": "integer"}' in told and told.endswith("2 + 3?<|end|><|assistant|>")
    policy = listing_policy(HERMES)
    reply = await PolicyChatModel(policy=policy).bind_tools([add]).ainvoke("2 + 3?")
    told = prompt_of(policy, reply)
    assert told.startswith('<|system|>Tools: {"') and "You can call" not in told
    assert told.endswith("<|end|><|user|>2 + 3?<|end|><|assistant|>")
    assert reply.tool_calls[0]["name"] == "vector_search"
    without = PolicyChatModel(policy=text_policy(HERMES))
    assert (await without.ainvoke("x")).content == HERMES  # nothing bound, nothing read


async def test_a_search_tag_calls_the_search_tool() -> None:
    model = PolicyChatModel(policy=text_policy("<search>falcon</search>"))
    reply = await model.bind_tools([SearchTool(searcher=ListSearcher(NOTES))]).ainvoke("who?")
    assert (reply.content, reply.tool_calls[0]["name"]) == ("", "vector_search")
    assert reply.tool_calls[0]["args"] == {"query": "falcon"}


async def test_malformed_calls_and_calls_in_reasoning() -> None:
    model = PolicyChatModel(policy=text_policy('<tool_call>{"nam": "add"}</tool_call>', f"<think>{HERMES}</think>done"))
    bound = model.bind_tools([add])
    (wrong,) = (await bound.ainvoke("x")).invalid_tool_calls
    assert (wrong["args"], wrong["error"]) == ('<tool_call>{"nam": "add"}</tool_call>', 'the call has no "name"')
    thought = await bound.ainvoke("x")
    assert thought.tool_calls == [] and thought.content == f"<think>{HERMES}</think>done"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("```json\n{call}\n```", ""),
        ("I add.\n```json\n{call}\n{call}\n```\n", "I add."),
        ("I add.\n```\n[{call}, {call}]\n```\nSo.", "I add.\nSo."),
        ("```py\nx = 1\n```\n{call}", "```py\nx = 1\n```"),
    ],
)
async def test_the_fence_of_a_call_goes_with_it(text: str, content: str) -> None:
    call = '{"name": "add", "arguments": {"a": 1, "b": 2}}'
    whole = text.replace("{call}", call)
    model = PolicyChatModel(policy=text_policy(whole, whole), call_format="json").bind_tools([add])
    reply = await model.ainvoke("x")
    assert reply.content == content and len(reply.tool_calls) == text.count("{call}")
    streamed = [chunk.text for chunk in [piece async for piece in model.astream("x")]]
    assert "".join(streamed) == content


async def test_tool_choice() -> None:
    def told(request: GenerateRequest) -> str:
        return "calls: " + ",".join(
            name for name in ("add", "vector_search") if f"- {name}:" in policy.decode(list(request.prompt_ids))
        )

    policy = scripted_policy(told)
    model, tools = PolicyChatModel(policy=policy), [add, SearchTool(searcher=ListSearcher(NOTES))]
    said = {
        choice: (await model.bind_tools(tools, tool_choice=choice).ainvoke("x")).content
        for choice in (None, "any", "add", "none")
    }
    assert said == {
        None: "calls: add,vector_search",
        "any": "calls: add,vector_search",
        "add": "calls: add",
        "none": "calls: ",
    }
    for shape in (True, {"type": "any"}, {"type": "auto"}):
        assert (await model.bind_tools(tools, tool_choice=shape).ainvoke("x")).content == said["any"]
    for shape in ({"type": "function", "function": {"name": "add"}}, {"type": "tool", "name": "add"}):
        assert (await model.bind_tools(tools, tool_choice=shape).ainvoke("x")).content == said["add"]
    with pytest.raises(UsageError, match=r"tool_choice: expected a tool's name, 'auto'.*got \{'type': 'functoin'\}"):
        model.bind_tools(tools, tool_choice={"type": "functoin"})
    with pytest.raises(UsageError, match=r"no tool 'ad' is bound; there are: add, vector_search; did you mean 'add'\?"):
        model.bind_tools(tools, tool_choice="ad")


@pytest.mark.parametrize("size", [1, 2, 1_000])
async def test_streaming_says_the_same(size: int) -> None:
    text = "Für Mira: 1 < 2 {maybe}.\n\n" + HERMES
    whole = await PolicyChatModel(policy=streaming_policy(text)).bind_tools([add]).ainvoke("x")
    chunks = [c async for c in PolicyChatModel(policy=streaming_policy(text, size=size)).bind_tools([add]).astream("x")]
    told = chunks[0]
    for chunk in chunks[1:]:
        told += chunk
    assert isinstance(told, AIMessageChunk) and told.chunk_position == "last"
    assert (told.content, told.tool_calls) == (whole.content, whole.tool_calls)
    assert told.usage_metadata == whole.usage_metadata
    assert told.additional_kwargs["token_ids"] == whole.additional_kwargs["token_ids"]
    assert all("\ufffd" not in str(chunk.content) and "<tool" not in str(chunk.content) for chunk in chunks)
    plain = [c.content async for c in PolicyChatModel(policy=streaming_policy("one two three", size=size)).astream("x")]
    assert "".join(map(str, plain)) == "one two three" and (len(plain) > 3) == (size < 1_000)


async def test_an_engine_that_can_not_stream_gives_one_piece() -> None:
    chunks = [chunk async for chunk in PolicyChatModel(policy=text_policy("one two")).astream("x")]
    assert [chunk.content for chunk in chunks] == ["one two", ""]


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_stop_texts_end_the_turn_and_its_tokens(size: int) -> None:
    text = "Thought.\nObservation: made up, at length"
    policy = streaming_policy(text, text, "so", size=size)
    model = PolicyChatModel(policy=policy)
    chunks = [chunk async for chunk in model.astream("x", stop=["\nObservation:"])]
    streamed = chunks[0]
    for chunk in chunks[1:]:
        streamed += chunk
    invoked = await model.ainvoke("x", stop=["\nObservation:"])
    assert streamed.content == invoked.content == "Thought."
    kept = invoked.additional_kwargs["token_ids"]
    assert streamed.additional_kwargs["token_ids"] == kept
    assert policy.decode(kept) == "Thought.\nObservation:"
    assert invoked.usage_metadata is not None and invoked.usage_metadata["output_tokens"] == len(kept)
    assert isinstance(policy.engine, StreamingScript)
    assert (policy.engine.taken < len(policy.encode(text))) == (size < 1_000)  # sampling ended early
    follow = await model.ainvoke([HumanMessage("x"), invoked, HumanMessage("Observation: rain")])
    assert "made up" not in prompt_of(policy, follow)


@given(st.text("ab<c{ \n", max_size=30), st.lists(st.integers(1, 4), max_size=30))
def test_the_gate_gives_all_text_short_of_a_mark(text: str, sizes: list[int]) -> None:
    gate, given_out, at = TextGate(stops=["ac"], marks=["<c", "{"]), "", 0
    for size in [*sizes, len(text)]:
        given_out += gate.push(text[at : at + size])
        at += size
    whole = text[: text.index("ac")] if "ac" in text else text
    assert gate.text == whole and gate.given == given_out and whole.startswith(given_out)
    first = min((whole.index(mark) for mark in ("<c", "{") if mark in whole), default=len(whole))
    assert len(given_out) <= first
    assert whole[len(given_out) : first].strip() in ("", "a", "<")  # at most the beginning of a mark is held back


class Heard(AsyncCallbackHandler):
    """What a tracer such as LangSmith's would hear."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    async def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.events.append(("model", kwargs["metadata"]["ls_model_name"]))

    async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.events.append(("token", token))

    async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.events.append(("tokens", response.generations[0][0].message.usage_metadata["output_tokens"]))

    async def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        self.events.append(("tool", serialized["name"]))

    async def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        self.events.append(("found", output.content))


async def test_a_stock_agent_runs_on_the_policy_and_the_search() -> None:
    search = SearchTool(searcher=ListSearcher(NOTES), k=1)
    policy = text_policy(HERMES, "Mira leads it. [1]")
    agent = create_react_agent(PolicyChatModel(policy=policy), [search, add], prompt="Be brief.")
    heard = Heard()
    state = await agent.ainvoke({"messages": [("user", "Who leads falcon?")]}, {"callbacks": [heard]})
    _, call, found, answer = state["messages"]
    assert isinstance(found, ToolMessage) and found.content == "[1] Note 11\nmira leads falcon"
    assert found.artifact[0].chunk_id == 11 and answer.content == "Mira leads it. [1]"
    # One growing token sequence: the second request continues the first and what was sampled.
    first = call.additional_kwargs["prompt_ids"] + call.additional_kwargs["token_ids"]
    assert answer.additional_kwargs["prompt_ids"][: len(first)] == first
    assert policy.decode(answer.additional_kwargs["prompt_ids"][len(first) :]) == (
        "<|tool|>[1] Note 11\nmira leads falcon<|end|><|assistant|>"
    )
    assert [kind for kind, _ in heard.events] == ["model", "tokens", "tool", "found", "model", "tokens"]
    assert heard.events[0] == ("model", "scripted-test") and heard.events[2] == ("tool", "vector_search")


async def test_tokens_reach_callbacks_while_an_agent_runs() -> None:
    agent = create_react_agent(PolicyChatModel(policy=streaming_policy("It is so.", size=3)), [add])
    heard = Heard()
    pieces = [
        message.content
        async for message, _ in agent.astream(
            {"messages": [("user", "x")]}, {"callbacks": [heard]}, stream_mode="messages"
        )
    ]
    assert "".join(pieces) == "It is so." and len(pieces) > 2
    assert "".join(token for kind, token in heard.events if kind == "token") == "It is so."


async def test_replayed_messages() -> None:
    policy = text_policy("ok")
    foreign = AIMessage(
        "see", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "7"}], additional_kwargs={"token_ids": [1]}
    )
    blocks = ToolMessage([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], tool_call_id="7")
    reply = await PolicyChatModel(policy=policy).ainvoke([SystemMessage("s"), HumanMessage("x"), foreign, blocks])
    call = json.dumps({"name": "add", "arguments": {"a": 1}})
    assert f"<|assistant|>see\n<tool_call>\n{call}\n</tool_call><|end|><|tool|>one\ntwo<|end|>" in prompt_of(
        policy, reply
    )
    with pytest.raises(UsageError, match="begin with an assistant's turn"):
        await PolicyChatModel(policy=policy).ainvoke([AIMessage("hello")])
    picture = HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}])
    with pytest.raises(UsageError, match="a human message with content that is no text"):
        await PolicyChatModel(policy=policy).ainvoke([picture])


async def test_waited_for_inside_a_running_loop_too() -> None:
    assert PolicyChatModel(policy=text_policy("yes")).invoke("x").content == "yes"


async def test_the_search_is_waited_for_inside_a_running_loop_too() -> None:
    search = SearchTool(searcher=ListSearcher(NOTES), k=1)
    assert search.invoke({"query": "falcon"}) == "[1] Note 11\nmira leads falcon"


def test_all_that_waits_shares_one_loop() -> None:
    loops: set[asyncio.AbstractEventLoop] = set()

    class Looking(ListSearcher):
        async def search(self, query: str, k: int) -> list[Hit]:
            loops.add(asyncio.get_running_loop())
            return await super().search(query, k)

    async def reply(request: GenerateRequest) -> str:
        loops.add(asyncio.get_running_loop())
        return "yes"

    model, search = PolicyChatModel(policy=scripted_policy(reply)), SearchTool(searcher=Looking(NOTES))
    model.invoke("x")
    list(model.stream("x"))
    model.batch(["x", "y"])
    search.invoke({"query": "falcon"})
    assert len(loops) == 1  # connections of an engine or an index stay where they were opened


def test_waiting_streams_too() -> None:
    tokens: list[str] = []

    class Ears(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            tokens.append(token)

    policy = streaming_policy("one two three", "one two three")
    chunks = list(PolicyChatModel(policy=policy).stream("x", {"callbacks": [Ears()]}))
    assert len(chunks) > 3 and "".join(chunk.text for chunk in chunks) == "one two three" == "".join(tokens)
    assert chunks[-1].chunk_position == "last" and chunks[-1].additional_kwargs["token_ids"]
    first = next(iter(PolicyChatModel(policy=policy).stream("x")))  # and left after the first piece
    assert first.text and "one two three".startswith(first.text)


def test_tokens_are_counted_by_the_policys_own_tokenizer() -> None:
    policy = text_policy("ok")
    model = PolicyChatModel(policy=policy)
    assert model.get_token_ids("the an <|end|>") == policy.encode("the an <|end|>")
    assert model.get_num_tokens("the answer") == len(policy.encode("the answer"))
    spoken = [SystemMessage("s"), HumanMessage("who?"), AIMessage("hm"), HumanMessage("well?")]
    reply = model.invoke(spoken)
    assert reply.usage_metadata is not None
    assert model.get_num_tokens_from_messages(spoken) == reply.usage_metadata["input_tokens"]
    told = len("You can call these tools")
    assert model.get_num_tokens_from_messages(spoken, [add]) > reply.usage_metadata["input_tokens"] + told
    counts = [model.get_num_tokens_from_messages(spoken[:end]) for end in (1, 2, 3, 4)]
    assert counts == sorted(set(counts))
    assert PolicyChatModel(policy=policy, custom_get_token_ids=lambda text: [7]).get_num_tokens("a b c") == 1


@pytest.mark.parametrize("template", SPECIAL)
def test_a_long_conversation_is_trimmed_to_what_fits(template: str) -> None:
    model = PolicyChatModel(policy=text_policy(template=template))
    talk = [kind(f"{kind.__name__} says {n} " + "x" * 40) for n in range(6) for kind in (HumanMessage, AIMessage)]
    whole = model.get_num_tokens_from_messages(talk)
    kept = trim_messages(talk, max_tokens=whole // 2, token_counter=model, strategy="last", start_on="human")
    assert talk[-len(kept) :] == kept and 4 <= len(kept) <= 6 and kept[0].type == "human"
    assert model.get_num_tokens_from_messages(kept) <= whole // 2


async def test_sampling_of_one_call() -> None:
    policy = text_policy("a", "b")
    model = PolicyChatModel(policy=policy, temperature=0.5, seed=1)
    await model.ainvoke("x")
    await model.bind(temperature=0.0, max_tokens=7, seed=9).ainvoke("x")
    assert isinstance(policy.engine, ScriptedEngine)
    first, second = (request.sampling for request in policy.engine.requests)
    assert (first.temperature, first.max_tokens, first.seed) == (0.5, 1_024, 1)
    assert (second.temperature, second.max_tokens, second.seed) == (0.0, 7, 9)
