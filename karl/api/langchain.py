"""The policy as a LangChain chat model and a corpus as a LangChain tool, for agents that are not karl's own graphs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agents.chat_model import PolicyChatModel
from agents.tools import Searcher, SearchTool
from karl.api.handed_in import check_handed_in
from karl.api.load import Say
from karl.api.opening import open_store, policy_folder, settings_of
from karl.api.sources import CorpusSource
from karl.policies import open_policy
from karl.settings import Settings
from store.errors import UsageError


def load_chat_model(
    policy: Path | str | None = None,
    *,
    corpus: str | None = None,
    home: Path | str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    say: Say | None = None,
    **sampling: Any,
) -> PolicyChatModel:
    """The policy as a chat model: tools bound, streaming, callbacks, its own token counts.

    policy, home, settings, say: as `load_graph`; without a policy the newest trained on `corpus`, else on any, else the
    one that ships. sampling: `temperature`, `max_tokens`, `top_p`, `seed`, `call_format`.
    Loads a model. Raises: UsageError for what is wrong, with the mend; KarlError for an endpoint that is down.
    """
    check_handed_in(corpus=None, policy=policy, value=None, judge=None, tools=())
    chosen = settings_of(settings, home)
    if chosen.engine == "chat":
        message = "its tokens are unknown; use the endpoint's own LangChain model, or engine = local or vllm"
        raise UsageError(f"engine 'chat': {message}")
    with ExitStack() as opened:
        folder = policy_folder(policy, open_store(chosen, corpus, needed=None, opened=opened), corpus)
    return PolicyChatModel(policy=open_policy(folder, settings=chosen, say=say), **sampling)


def load_search_tool(
    corpus: str | Searcher,
    *,
    k: int = 20,
    home: Path | str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
) -> SearchTool:
    """The search over a corpus as the tool `vector_search`: `k` passages as text, the hits as its artifact.

    corpus: as `load_graph`. Raises: UsageError for an unknown one.
    """
    check_handed_in(corpus=corpus, policy=None, value=None, judge=None, tools=())
    if not isinstance(corpus, str):
        return SearchTool(searcher=corpus, k=k)
    chosen = settings_of(settings, home)
    with ExitStack() as opened:
        store = open_store(chosen, corpus, needed=None, opened=opened)
        assert store is not None  # a named corpus is in one
        searcher = CorpusSource(store, corpus, home=chosen.home, servers=chosen.servers).searcher
        opened.callback(searcher.close)
        tool = SearchTool(searcher=searcher, k=k)
        # Whoever holds the tool holds the store open; LangChain's tools are never closed.
        weakref.finalize(tool, opened.pop_all().close)
    return tool
