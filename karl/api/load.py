"""`load_graph`: from a graph's name to a `Graph` that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from agents.judges import Judge
from agents.policy import Policy
from agents.tools import Searcher
from agents.values import ValueFunction
from graphs.loading import load_runner
from graphs.occasions import check_variant
from karl.api.answering import GraphParts, OnFailure, check_options
from karl.api.graph import Graph
from karl.api.handed_in import check_handed_in
from karl.api.mcp import OpenServers
from karl.api.opening import open_store, settings_of
from karl.api.place import Place, default_temperature, graph_or_file, with_attempts
from karl.api.sources import CorpusSource, SearcherSource, Source
from karl.api.voice import Say, Voice, voice_of
from karl.judges import open_judge
from karl.settings import Settings
from karl.telemetry import open_telemetry
from store.session import Store


def load_graph(
    graph: str | Path = "solver",
    *,
    corpus: str | Searcher | None = None,
    policy: Path | str | Policy | None = None,
    home: Path | str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    variant: str | None = None,
    tasks: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    attempts: int | None = None,
    value: ValueFunction | Path | str | None = None,
    judge: Judge | None = None,
    tools: Sequence[BaseTool] = (),
    seed: int = 0,
    temperature: float | None = None,
    store: bool | None = None,
    on_failure: OnFailure = "raise",
    say: Say | None = None,
) -> Graph:
    """A graph, ready to be asked.

    graph: a name (your `graph_path` shadows the built-in ones) or a YAML file.
    corpus: a name in the store, or any object with `async def search(query, k) -> list[Hit]`.
    policy: a checkpoint folder or a `Policy` (its engine stays yours to close); None: the newest checkpoint trained on
    the corpus, else on any, else the one that ships.
    home, settings: as `--home` and `karl.toml`; a mapping lays keys over it, `{"engine": "vllm", "vllm_url": ...}`.
    variant: of prompts and graph, None: the policy's own. tasks, overrides: `overrides` of the file by name, and a last
    layer of your own, checked like the file: `{"plugins": [...], "sampling": {"max_tokens": 512}}`.
    attempts: `runs` of every parallel node. value: scores candidates where the graph chooses among several, a value
    model's folder or an object; judge: says which answers are the same where the graph asks one; None: that of the
    settings. tools: those that the graph names without a module; its MCP servers are opened here and closed with it.
    temperature: None: 0, or the graph's own where it draws several times. seed: same seed, same answer.
    store: keep rollouts as `karl ask` does; None: with a named corpus. on_failure: what `ainvoke` does, see there.
    say: is told when the local engine stands in for an endpoint that serves another model; without it that is an error.

    Loads a model: seconds, in the calling thread. Raises: UsageError for a wrong name, key or file, with the mend;
    KarlError for an endpoint that is down.
    """
    check_options(seed=seed, temperature=temperature, on_failure=on_failure)
    guide = None if isinstance(value, Path | str) else value
    check_handed_in(corpus=corpus, policy=policy, value=guide, judge=judge, tools=tools)
    chosen = settings_of(settings, home)
    with ExitStack() as opened:
        kept = open_store(chosen, corpus, needed=store, opened=opened)
        voice = voice_of(policy, kept, corpus, settings=chosen)
        # Before the model is loaded: a misspelt key should not cost seconds.
        place = _place(graph, variant, tasks, voice=voice, settings=chosen)
        spec = place.spec(overrides)
        if variant is not None:
            check_variant(variant, place.library.specs, prompt_path=chosen.prompt_path)
        source = _source(corpus, kept, chosen)
        if isinstance(source, CorpusSource):
            opened.callback(source.searcher.close)
        servers = OpenServers()
        opened.callback(servers.close)
        speaker = voice.open(variant=place.variant, settings=chosen, say=say)
        trained = None
        if isinstance(value, Path | str):
            trained = voice.value(Path(value).expanduser(), settings=chosen, say=say)
            opened.callback(trained.close)
        runner = load_runner(
            place.graph,
            policy=speaker,
            searcher=source.searcher,
            value=trained or guide,
            judge=judge or open_judge(chosen),
            tools=tools,
            open_servers=servers.open,
            trace=open_telemetry(chosen.telemetry),
            library=place.library,
            changes={**(overrides or {}), **with_attempts(spec, overrides or {}, attempts)},
        )
        opened.pop_all()
    return Graph(
        GraphParts(
            runner=runner,
            source=source,
            servers=servers,
            store=kept,
            kept=isinstance(corpus, str) if store is None else store,
            seed=seed,
            temperature=default_temperature(spec) if temperature is None else temperature,
            on_failure=on_failure,
            owns_policy=voice.given is None,
            checkpoint=voice.folder,
            owned_value=trained,
        )
    )


def _place(graph: str | Path, variant: str | None, tasks: Sequence[str], *, voice: Voice, settings: Settings) -> Place:
    spoken = voice.profile.prompt_variant if variant is None else variant
    return Place(graph_or_file(graph), spoken, tasks, settings.graph_path, settings.prompt_path)


def _source(corpus: str | Searcher | None, store: Store | None, settings: Settings) -> Source:
    if isinstance(corpus, str):
        assert store is not None
        return CorpusSource(store, corpus, home=settings.home, servers=settings.servers)
    return SearcherSource(corpus)
