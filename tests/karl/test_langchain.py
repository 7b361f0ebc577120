"""The parts for agents that are not karl's graphs: a chat model and a search tool, from names alone."""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from karl import Hit, PolicyChatModel, SearchTool, UsageError, load_chat_model, load_search_tool
from karl.tiny import POLICY_FOLDER
from tests.harness_kit import NOTES, ListSearcher
from tests.karl.api_kit import make_corpus

GUIDE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


def test_the_snippet_of_the_guide_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARL_HOME", str(home))
    (snippet,) = (
        code for code in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "chat_model" in code
    )
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert isinstance(names["model"], PolicyChatModel) and isinstance(names["search"], SearchTool)
    assert isinstance(names["answer"], AIMessage) and names["wish"].usage_metadata["output_tokens"] > 0
    for message in names["found"]:
        assert all(isinstance(hit, Hit) for hit in message.artifact)


async def test_the_search_of_a_corpus_from_anywhere(home: Path) -> None:
    search = load_search_tool("notes", k=1, home=home)
    call = {"type": "tool_call", "id": "1", "name": "vector_search", "args": {"query": "falcon oslo"}}
    awaited, waited = await search.ainvoke(call), search.invoke(call)
    assert [hit.key for hit in awaited.artifact] == ["teams/falcon.md#0"] == [hit.key for hit in waited.artifact]
    assert awaited.content.startswith("[1] Falcon\n") and "Falcon works in Oslo." in waited.content
    own = load_search_tool(ListSearcher(NOTES), k=1)
    assert await own.ainvoke({"query": "mira"}) == "[1] Note 11\nmira leads falcon"


def test_a_tool_that_is_gone_has_closed_its_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr("store.session.Store.close", lambda store: closed.append("store"))
    search = load_search_tool("notes", home=home)
    assert closed == [] and search.k == 20
    del search
    gc.collect()
    assert closed == ["store"]


def test_the_model_takes_sampling_and_says_what_is_wrong(home: Path) -> None:
    model = load_chat_model(POLICY_FOLDER, temperature=0.0, max_tokens=4, home=home)
    assert (model.temperature, model.max_tokens) == (0.0, 4)
    assert model.invoke("x").usage_metadata == model.invoke("x").usage_metadata
    chat = {"engine": "chat", "chat": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}
    for wrong, said in (
        ({"policy": "nowhere"}, "nowhere: no such model folder"),
        ({"policy": 42}, "policy: expected a checkpoint folder"),
        ({"corpus": "nots"}, "no corpus 'nots'; there are: notes"),
        ({"settings": {"engne": "vllm"}}, "settings: unknown key 'engne'"),
        ({"settings": chat}, "engine 'chat': its tokens are unknown; use the endpoint's own LangChain model"),
    ):
        given: Any = {"home": home} | wrong
        with pytest.raises(UsageError, match=said):
            load_chat_model(**given)
    with pytest.raises(UsageError, match="no corpus 'nots'; there are: notes"):
        load_search_tool("nots", home=home)
    with pytest.raises(UsageError, match="corpus: expected a name, or an object with"):
        load_search_tool(42, home=home)  # pyright: ignore[reportArgumentType]
