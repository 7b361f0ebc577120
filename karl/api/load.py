"""`load_graph`: from a graph's name to a `Graph` that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from agents.judges import Judge, LlmJudge, RuleJudge
from agents.policy import Policy
from agents.tools import Searcher
from agents.values import ValueFunction
from graphs.loading import load_runner
from graphs.occasions import check_variant
from karl.api.answering import GraphParts, OnFailure, check_options
from karl.api.graph import Graph
from karl.api.handed_in import check_handed_in
from karl.api.mcp import OpenServers
from karl.api.place import Place, default_temperature, graph_or_file, with_attempts
from karl.api.sources import CorpusSource, SearcherSource, Source
from karl.policies import open_policy, profile_of
from karl.settings import Settings, load_settings
from karl.telemetry import open_telemetry
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import UsageError
from store.session import Store

Say = Callable[[str], None]


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
    value: ValueFunction | None = None,
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
    attempts: `runs` of every parallel node. value: scores candidates where the graph chooses among several; judge: says
    which answers are the same where the graph asks one; None: that of the settings. tools: those that the graph names
    without a module; its MCP servers are opened here and closed with the graph.
    temperature: None: 0, or the graph's own where it draws several times. seed: same seed, same answer.
    store: keep rollouts as `karl ask` does; None: with a named corpus. on_failure: what `ainvoke` does, see there.
    say: is told when the local engine stands in for an endpoint that serves another model; without it that is an error.

    Loads a model: seconds, in the calling thread. Raises: UsageError for a wrong name, key or file, with the mend;
    KarlError for an endpoint that is down.
    """
    check_options(seed=seed, temperature=temperature, on_failure=on_failure)
    check_handed_in(corpus=corpus, policy=policy, value=value, judge=judge, tools=tools)
    chosen = _settings(settings, home)
    with ExitStack() as opened:
        kept = _open_store(chosen, corpus, needed=store, opened=opened)
        played = isinstance(policy, Policy) or chosen.engine == "chat"
        folder = None if played else _existing(_folder(policy, kept, corpus))
        profile = policy.profile if isinstance(policy, Policy) else profile_of(folder, settings=chosen)
        spoken = profile.prompt_variant if variant is None else variant
        place = Place(graph_or_file(graph), spoken, tasks, chosen.graph_path, chosen.prompt_path)
        # Before the model is loaded: a misspelt key should not cost seconds.
        spec = place.spec(overrides)
        if variant is not None:
            check_variant(variant, place.library.specs, prompt_path=chosen.prompt_path)
        changes = {**(overrides or {}), **with_attempts(spec, overrides or {}, attempts)}
        source = _source(corpus, kept, chosen)
        servers = OpenServers()
        opened.callback(servers.close)
        speaker = policy if isinstance(policy, Policy) else open_policy(folder, settings=chosen, say=say)
        speaker = replace(speaker, profile=profile.model_copy(update={"prompt_variant": place.variant}))
        runner = load_runner(
            place.graph,
            policy=speaker,
            searcher=source.searcher,
            value=value,
            judge=judge or _judge(chosen),
            tools=tools,
            open_servers=servers.open,
            trace=open_telemetry(chosen.telemetry),
            library=place.library,
            changes=changes,
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
            owns_policy=not isinstance(policy, Policy),
            checkpoint=folder,
        )
    )


def newest_folder(store: Store, corpus: str | None) -> Path:
    """The newest policy trained on this corpus, else on any, else the embedded one. Raises: UsageError."""
    with store.session() as session:
        found = None
        if corpus is not None:
            found = queries.newest_checkpoint(session, corpus_id=queries.corpus_by_name(session, corpus).id)
        found = found or queries.newest_checkpoint(session)
    return Path(found.path) if found is not None else POLICY_FOLDER


def _settings(given: Settings | Mapping[str, Any] | None, home: Path | str | None) -> Settings:
    if not isinstance(given, Settings):
        return load_settings(**{**(given or {}), **({"home": home} if home is not None else {})})
    return given if home is None else given.model_copy(update={"home": Path(home).expanduser().resolve()})


def _open_store(
    settings: Settings, corpus: str | Searcher | None, *, needed: bool | None, opened: ExitStack
) -> Store | None:
    """None where nothing asks for one: a searcher of the caller's alone should not create a database."""
    if needed and not isinstance(corpus, str):
        # Its chunk ids would point at other chunks of the store.
        raise UsageError("store=True needs a corpus of the store: ingest one, or leave store out")
    exists = bool(settings.database_url) or (settings.home / "karl.db").is_file()
    if not (isinstance(corpus, str) or exists):
        return None
    store = Store.open(settings.store_url)
    opened.callback(store.close)
    return store


def _folder(policy: Path | str | Policy | None, store: Store | None, corpus: str | Searcher | None) -> Path:
    if isinstance(policy, Path | str):
        return Path(policy).expanduser()
    return newest_folder(store, corpus if isinstance(corpus, str) else None) if store else POLICY_FOLDER


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such model folder; give the folder of a Hugging Face checkpoint")
    return folder


def _source(corpus: str | Searcher | None, store: Store | None, settings: Settings) -> Source:
    if isinstance(corpus, str):
        assert store is not None
        return CorpusSource(store, corpus, home=settings.home)
    return SearcherSource(corpus)


def _judge(settings: Settings) -> Judge:
    return LlmJudge(settings.judge, prompt_path=settings.prompt_path) if settings.judge else RuleJudge()
