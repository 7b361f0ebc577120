"""Checkpoint folders, the LangChain wrappers, and that `agents` is ours."""

import json
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

import agents
from agents.chat_model import PolicyChatModel
from agents.chat_template import chat_template
from agents.engines.scripted import ScriptedEngine
from agents.errors import EngineError, ToolError
from agents.policy import PolicyProfile, load_policy, load_profile, load_tokenizer
from agents.tools import SearchTool
from store.errors import UsageError
from tests.harness_kit import NOTES, ListSearcher, byte_tokenizer, scripted_policy, text_policy


def test_the_package_agents_is_ours() -> None:
    assert Path(str(agents.__file__)).parent == Path(__file__).parents[2] / "agents"


def test_policy_from_a_checkpoint_folder(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "karl.json").write_text(json.dumps({"name": "t", "prompt_variant": "tiny", "policy_version": 2}))
    policy = load_policy(tmp_path, engine=ScriptedEngine(lambda r: "x", template=chat_template(tokenizer)))
    assert policy.profile == PolicyProfile(name="t", prompt_variant="tiny", policy_version=2)
    assert policy.decode(policy.encode("the note <é>")) == "the note <é>"
    assert policy.stop_ids == chat_template(tokenizer).stop_ids


def test_profile_defaults_and_errors(tmp_path: Path) -> None:
    assert load_profile(tmp_path).prompt_variant == ""
    (tmp_path / "karl.json").write_text('{"prompt_varient": "tiny"}')
    with pytest.raises(UsageError, match=r"karl\.json: key 'prompt_varient'.*known keys: name, prompt_variant"):
        load_profile(tmp_path)
    (tmp_path / "karl.json").write_text("{")
    with pytest.raises(UsageError, match=r"karl\.json: can't be read"):
        load_profile(tmp_path)
    with pytest.raises(UsageError, match=r"no model folder \(tokenizer\.json is missing\)"):
        load_tokenizer(tmp_path / "nowhere")


async def test_chat_model_extends_the_tokens_it_sampled() -> None:
    policy = text_policy("<think>a</think>first", "second STOP rest")
    model = PolicyChatModel(policy=policy, max_tokens=64)
    opening = [SystemMessage("be brief"), HumanMessage("who?")]
    first = await model.ainvoke(opening)
    assert first.content == "<think>a</think>first"
    assert first.usage_metadata is not None and first.usage_metadata["output_tokens"] == len(
        first.additional_kwargs["token_ids"]
    )
    second = await model.ainvoke([*opening, first, ToolMessage("a note", tool_call_id="1")], stop=[" STOP"])
    assert second.content == "second"
    prompt = first.additional_kwargs["prompt_ids"] + first.additional_kwargs["token_ids"]
    assert second.additional_kwargs["prompt_ids"][: len(prompt)] == prompt
    foreign = await PolicyChatModel(policy=text_policy("x")).ainvoke([*opening, AIMessage("hm"), HumanMessage("go on")])
    assert policy.decode(foreign.additional_kwargs["prompt_ids"]) == (
        "<|system|>be brief<|end|><|user|>who?<|end|><|assistant|>hm<|end|><|user|>go on<|end|><|assistant|>"
    )


async def test_chat_model_types_engine_failures() -> None:
    def broken(request: object) -> str:
        raise RuntimeError("no memory")

    with pytest.raises(EngineError, match="engine scripted-test: RuntimeError: no memory"):
        await PolicyChatModel(policy=scripted_policy(broken)).ainvoke("hi")


async def test_search_tool() -> None:
    tool = SearchTool(searcher=ListSearcher(NOTES), k=1)
    assert [hit.chunk_id for hit in await tool.search("falcon")] == [11]
    assert await tool.ainvoke({"query": "falcon"}) == "[1] Note 11\nmira leads falcon"
    assert "query" in tool.args
    with pytest.raises(ToolError, match="vector_search 'x': OSError: gone"):
        await SearchTool(searcher=ListSearcher([], error=OSError("gone"))).search("x")
